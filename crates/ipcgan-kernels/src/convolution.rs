//! Convolutions with packed weights.

use crate::depthwise::{Depthwise, is_depthwise};
use crate::epilogue::Epilogue;
use crate::few_outputs::FewOutputs;
use crate::implicit_gemm::ImplicitGemm;
use crate::pointwise_conv::PointwiseConv;
use crate::sub_pixel::SubPixel;
use crate::winograd::{self, WeightState, Winograd};
use crate::{ConvParams, InstructionSet, Nhwc};

/// Algorithm of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvAlgorithm {
    /// Direct summation (implicit GEMM).
    Direct,
    /// Winograd's minimal filtering where it applies; rounding errors are about 5e-6 of the
    /// outputs instead of 5e-7.
    Winograd,
}

/// A convolution, or the adjoint of one (transposed convolution), with packed weights.
#[derive(Debug)]
pub struct Convolution {
    /// Channels of the input.
    channels: usize,
    kernel: usize,
    /// `None` if the convolution runs only once, and Winograd's algorithm is faster for that output.
    direct: Option<Direct>,
    /// `None` if it is not supported, or if the convolution runs only once and direct summation is faster.
    winograd: Option<Winograd>,
}

/// Algorithms that sum term by term.
#[derive(Debug)]
enum Direct {
    ImplicitGemm(ImplicitGemm),
    Depthwise(Depthwise),
    FewOutputs(FewOutputs),
    PointwiseConv(PointwiseConv),
    SubPixel(SubPixel),
}

impl Convolution {
    /// Convolution with `weights` `[outputs][inputs of a group][kernel][kernel]`; `channels` are the outputs and the
    /// inputs of a group, `once` the shape of the output if the convolution runs only once.
    ///
    /// # Panics
    /// If there are more or fewer weights, or the groups do not divide the outputs.
    pub fn new(
        instructions: InstructionSet,
        algorithm: ConvAlgorithm,
        weights: &[f32],
        channels: [usize; 2],
        params: &ConvParams,
        once: Option<Nhwc>,
    ) -> Self {
        check(weights, channels, params);
        let direct = || {
            if is_depthwise(channels, params) {
                Direct::Depthwise(Depthwise::new(instructions, weights, params))
            } else if PointwiseConv::suits(params) {
                Direct::PointwiseConv(PointwiseConv::new(instructions, weights, channels))
            } else if FewOutputs::suits(instructions, channels, params) {
                Direct::FewOutputs(FewOutputs::new(instructions, weights, channels, params))
            } else {
                Direct::ImplicitGemm(ImplicitGemm::forward(instructions, weights, channels, params))
            }
        };
        let winograd = || Winograd::forward(instructions, weights, channels, params);
        let from = channels[1] * params.groups;
        Self::prepared(algorithm, (from, channels), params, once, direct, winograd)
    }

    /// Adjoint of [`Convolution::new`] with the same arguments: from the shape of its output to the shape of its input.
    ///
    /// That is the gradient with respect to a convolution's input, and the forward pass of a transposed convolution.
    ///
    /// # Panics
    /// As [`Convolution::new`].
    pub fn adjoint(
        instructions: InstructionSet,
        algorithm: ConvAlgorithm,
        weights: &[f32],
        channels: [usize; 2],
        params: &ConvParams,
        once: Option<Nhwc>,
    ) -> Self {
        check(weights, channels, params);
        let direct = || match SubPixel::suits(instructions, channels, params) {
            true => Direct::SubPixel(SubPixel::new(instructions, weights, channels, params)),
            false => Direct::ImplicitGemm(ImplicitGemm::adjoint(instructions, weights, channels, params)),
        };
        let winograd = || Winograd::adjoint(instructions, weights, channels, params);
        Self::prepared(algorithm, (channels[0], channels), params, once, direct, winograd)
    }

    /// If the convolution runs once, weights are packed for the faster algorithm, in pooled memory; otherwise for both,
    /// because the faster algorithm depends on the size of the output.
    fn prepared(
        algorithm: ConvAlgorithm,
        (from, channels): (usize, [usize; 2]),
        params: &ConvParams,
        once: Option<Nhwc>,
        direct: impl FnOnce() -> Direct,
        winograd: impl FnOnce() -> Winograd,
    ) -> Self {
        let kernel = params.kernel;
        let fast = algorithm == ConvAlgorithm::Winograd && supports_winograd(channels, params);
        match once {
            Some(shape) if fast && winograd::is_faster(kernel, shape, WeightState::Raw) => {
                Self { channels: from, kernel, direct: None, winograd: Some(winograd()) }
            }
            Some(_) => Self { channels: from, kernel, direct: Some(direct()), winograd: None },
            None => Self { channels: from, kernel, direct: Some(direct()), winograd: fast.then(winograd) }.owned(),
        }
    }

    /// Copied out of the buffer pool.
    fn owned(mut self) -> Self {
        match &mut self.direct {
            // It owns its memory.
            None | Some(Direct::Depthwise(_)) => {}
            Some(Direct::ImplicitGemm(direct)) => direct.make_owned(),
            Some(Direct::FewOutputs(direct)) => direct.make_owned(),
            Some(Direct::PointwiseConv(direct)) => direct.make_owned(),
            Some(Direct::SubPixel(direct)) => direct.make_owned(),
        }
        if let Some(winograd) = &mut self.winograd {
            winograd.make_owned();
        }
        self
    }

    /// The values of an output of `sides` (height and width), channels last.
    ///
    /// # Panics
    /// If `input` does not hold the values of `shape`, or they have other channels than the weights.
    pub fn run(&self, input: &[f32], shape: Nhwc, sides: [usize; 2], epilogue: &Epilogue<'_>) -> Vec<f32> {
        let mut output = Vec::new();
        self.run_into(input, shape, sides, epilogue, &mut output);
        output
    }

    /// [`Convolution::run`], with the memory that `output` has.
    ///
    /// # Panics
    /// If `input` does not hold the values of `shape`, or they have other channels than the weights.
    pub fn run_into(
        &self,
        input: &[f32],
        shape: Nhwc,
        sides: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        assert_eq!(input.len(), shape.num_elements(), "values of the input");
        assert_eq!(shape.channels, self.channels, "channels of the input");
        let output_shape = Nhwc { height: sides[0], width: sides[1], ..shape };
        match (&self.direct, &self.winograd) {
            (None, Some(winograd)) => winograd.run(input, shape, sides, epilogue, output),
            (Some(_), Some(winograd)) if winograd::is_faster(self.kernel, output_shape, WeightState::Transformed) => {
                winograd.run(input, shape, sides, epilogue, output);
            }
            (Some(Direct::ImplicitGemm(direct)), _) => direct.run(input, shape, sides, epilogue, output),
            (Some(Direct::Depthwise(direct)), _) => direct.run(input, shape, sides, epilogue, output),
            (Some(Direct::FewOutputs(direct)), _) => direct.run(input, shape, sides, epilogue, output),
            (Some(Direct::PointwiseConv(direct)), _) => direct.run(input, shape, epilogue, output),
            (Some(Direct::SubPixel(direct)), _) => direct.run(input, shape, sides, epilogue, output),
            (None, None) => unreachable!("weights are packed for at least one algorithm"),
        }
    }
}

/// Whether Winograd's algorithm supports `outputs` and inputs of a group.
pub(crate) fn supports_winograd([outputs, inputs]: [usize; 2], params: &ConvParams) -> bool {
    winograd::is_supported(params, [outputs / params.groups, inputs])
}

fn check(weights: &[f32], [outputs, inputs]: [usize; 2], params: &ConvParams) {
    let count = outputs * inputs * params.kernel * params.kernel;
    assert_eq!(weights.len(), count, "weights of {outputs} outputs and {inputs} inputs");
    assert!(outputs.is_multiple_of(params.groups), "{outputs} outputs in {} groups", params.groups);
}
