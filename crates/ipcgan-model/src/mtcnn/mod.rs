//! MTCNN: three small networks, each of which looks closer at what the one before thinks is a face.
//!
//! Source: Zhang and others, *Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks*, 2016.

mod layers;
mod output;
mod proposal;
mod refinement;

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::ModelError;
use crate::weights::fill;
use output::OutputNet;
use proposal::ProposalNet;
use refinement::RefinementNet;

/// What a network thinks of windows of a picture.
#[derive(Debug)]
pub struct Judgement {
    /// Probability that each is a face, `[windows]`.
    pub scores: Tensor<1>,
    /// Where its left, top, right and bottom should be moved, as a share of its size, `[windows, 4]`.
    pub offsets: Tensor<2>,
}

/// The three networks.
#[derive(Module, Debug)]
pub struct Mtcnn {
    proposal: ProposalNet,
    refinement: RefinementNet,
    output: OutputNet,
}

impl Mtcnn {
    /// Side of the windows of the three networks, in pixels.
    pub const SIDES: [usize; 3] = [12, 24, 48];
    /// Pixels from one window of the first network to the next.
    pub const STRIDE: usize = 2;

    /// Reads the networks from the bytes of a safetensors file; `origin` names them in errors.
    ///
    /// # Errors
    /// The bytes are damaged, or hold other networks.
    pub fn from_bytes(bytes: Vec<u8>, origin: &Path, device: &Device) -> Result<Self, ModelError> {
        let mut networks = Self {
            proposal: ProposalNet::new(device),
            refinement: RefinementNet::new(device),
            output: OutputNet::new(device),
        };
        fill(&mut networks, bytes, origin)?;
        Ok(networks)
    }

    /// All windows of 12 pixels of a picture, two pixels apart, row by row; and how many are in a row.
    ///
    /// # Shapes
    /// - `picture`: `[1, 3, height, width]`, RGB, `(value - 127.5) / 128`; sides of at least 12 pixels
    pub fn propose(&self, picture: Tensor<4>) -> (Judgement, usize) {
        self.proposal.forward(picture)
    }

    /// Windows that the first network took for faces.
    ///
    /// # Shapes
    /// - `windows`: `[windows, 3, 24, 24]`, values as for [`Mtcnn::propose`]
    pub fn refine(&self, windows: Tensor<4>) -> Judgement {
        self.refinement.forward(windows)
    }

    /// Windows that the second network took for faces; and the landmarks of each, `[windows, 10]`: the five columns of
    /// left eye, right eye, nose, left and right corner of the mouth (as seen), then their rows, as shares of the window.
    ///
    /// # Shapes
    /// - `windows`: `[windows, 3, 48, 48]`, values as for [`Mtcnn::propose`]
    pub fn finish(&self, windows: Tensor<4>) -> (Judgement, Tensor<2>) {
        self.output.forward(windows)
    }
}
