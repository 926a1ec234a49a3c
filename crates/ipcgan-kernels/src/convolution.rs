//! Convolutions with prepared weights.

use crate::correlation::Correlation;
use crate::depthwise::{Depthwise, is_depthwise};
use crate::epilogue::Epilogue;
use crate::narrow::Narrow;
use crate::one_by_one::OneByOne;
use crate::shuffled::Shuffled;
use crate::winograd::{self, Weights, Winograd};
use crate::{Instructions, Maps, Window};

/// How sums are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Term by term.
    Direct,
    /// With the fewest multiplications, by Winograd's algorithm where it applies; roundings are about 5e-6 of the
    /// outputs instead of 5e-7.
    Fast,
}

/// A convolution, or the adjoint of one, with its weights in the order in which they are read.
#[derive(Debug)]
pub struct Convolution {
    /// Of what it is run on.
    channels: usize,
    kernel: usize,
    /// Unless Winograd's algorithm is better for the one output that there will be.
    direct: Option<Direct>,
    /// If it can run, and is not worse for the one output that there will be.
    winograd: Option<Winograd>,
}

/// Sums term by term.
#[derive(Debug)]
enum Direct {
    Correlation(Correlation),
    Depthwise(Depthwise),
    Narrow(Narrow),
    OneByOne(OneByOne),
    Shuffled(Shuffled),
}

impl Convolution {
    /// Convolution with `weights` `[outputs][inputs of a group][kernel][kernel]`; `channels` are the outputs and the
    /// inputs of a group, `once` the sizes of the output if there will be one only.
    pub fn new(
        instructions: Instructions,
        arithmetic: Arithmetic,
        weights: &[f32],
        channels: [usize; 2],
        window: &Window,
        once: Option<Maps>,
    ) -> Self {
        check(weights, channels, window);
        let direct = || {
            if is_depthwise(channels, window) {
                Direct::Depthwise(Depthwise::new(instructions, weights, window))
            } else if OneByOne::suits(window) {
                Direct::OneByOne(OneByOne::new(instructions, weights, channels))
            } else if Narrow::suits(instructions, channels, window) {
                Direct::Narrow(Narrow::new(instructions, weights, channels, window))
            } else {
                Direct::Correlation(Correlation::forward(instructions, weights, channels, window))
            }
        };
        let winograd = || Winograd::forward(instructions, weights, channels, window);
        let from = channels[1] * window.groups;
        Self::prepared(arithmetic, (from, channels), window, once, direct, winograd)
    }

    /// Adjoint of [`Convolution::new`] with the same arguments: from maps of its output to maps of its input.
    ///
    /// That is the gradient towards a convolution's input, and the forward pass of a transposed convolution.
    pub fn adjoint(
        instructions: Instructions,
        arithmetic: Arithmetic,
        weights: &[f32],
        channels: [usize; 2],
        window: &Window,
        once: Option<Maps>,
    ) -> Self {
        check(weights, channels, window);
        let direct = || match Shuffled::suits(instructions, channels, window) {
            true => Direct::Shuffled(Shuffled::new(instructions, weights, channels, window)),
            false => Direct::Correlation(Correlation::adjoint(instructions, weights, channels, window)),
        };
        let winograd = || Winograd::adjoint(instructions, weights, channels, window);
        Self::prepared(arithmetic, (channels[0], channels), window, once, direct, winograd)
    }

    /// For one output the weights are prepared in the better way, in borrowed memory; for many in both ways, because
    /// small outputs and large ones differ.
    fn prepared(
        arithmetic: Arithmetic,
        (from, channels): (usize, [usize; 2]),
        window: &Window,
        once: Option<Maps>,
        direct: impl FnOnce() -> Direct,
        winograd: impl FnOnce() -> Winograd,
    ) -> Self {
        let kernel = window.kernel;
        let fast = arithmetic == Arithmetic::Fast && winograd_possible(channels, window);
        match once {
            Some(maps) if fast && winograd::saves(kernel, maps, Weights::New) => {
                Self { channels: from, kernel, direct: None, winograd: Some(winograd()) }
            }
            Some(_) => Self { channels: from, kernel, direct: Some(direct()), winograd: None },
            None => Self { channels: from, kernel, direct: Some(direct()), winograd: fast.then(winograd) }.settled(),
        }
    }

    /// Moved out of borrowed memory.
    fn settled(mut self) -> Self {
        match &mut self.direct {
            // It holds memory of its own.
            None | Some(Direct::Depthwise(_)) => {}
            Some(Direct::Correlation(direct)) => direct.settle(),
            Some(Direct::Narrow(direct)) => direct.settle(),
            Some(Direct::OneByOne(direct)) => direct.settle(),
            Some(Direct::Shuffled(direct)) => direct.settle(),
        }
        if let Some(winograd) = &mut self.winograd {
            winograd.settle();
        }
        self
    }

    /// The values of an output of `sides` (height and width), channels last.
    ///
    /// # Panics
    /// If `input` does not hold the values of `maps`, or they have other channels than the weights.
    pub fn run(&self, input: &[f32], maps: Maps, sides: [usize; 2], epilogue: &Epilogue<'_>) -> Vec<f32> {
        let mut output = Vec::new();
        self.run_into(input, maps, sides, epilogue, &mut output);
        output
    }

    /// [`Convolution::run`], with the memory that `output` has.
    ///
    /// # Panics
    /// If `input` does not hold the values of `maps`, or they have other channels than the weights.
    pub fn run_into(
        &self,
        input: &[f32],
        maps: Maps,
        sides: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        assert_eq!(input.len(), maps.values(), "values of the input");
        assert_eq!(maps.channels, self.channels, "channels of the input");
        let output_maps = Maps { height: sides[0], width: sides[1], ..maps };
        match (&self.direct, &self.winograd) {
            (None, Some(winograd)) => winograd.run(input, maps, sides, epilogue, output),
            (Some(_), Some(winograd)) if winograd::saves(self.kernel, output_maps, Weights::Ready) => {
                winograd.run(input, maps, sides, epilogue, output);
            }
            (Some(Direct::Correlation(direct)), _) => direct.run(input, maps, sides, epilogue, output),
            (Some(Direct::Depthwise(direct)), _) => direct.run(input, maps, sides, epilogue, output),
            (Some(Direct::Narrow(direct)), _) => direct.run(input, maps, sides, epilogue, output),
            (Some(Direct::OneByOne(direct)), _) => direct.run(input, maps, epilogue, output),
            (Some(Direct::Shuffled(direct)), _) => direct.run(input, maps, sides, epilogue, output),
            (None, None) => unreachable!("weights are prepared in one way at least"),
        }
    }
}

/// Whether Winograd's algorithm can convolve `outputs` and inputs of a group.
pub(crate) fn winograd_possible([outputs, inputs]: [usize; 2], window: &Window) -> bool {
    winograd::possible(window, [outputs / window.groups, inputs])
}

fn check(weights: &[f32], [outputs, inputs]: [usize; 2], window: &Window) {
    let count = outputs * inputs * window.kernel * window.kernel;
    assert_eq!(weights.len(), count, "weights of {outputs} outputs and {inputs} inputs");
    assert!(outputs.is_multiple_of(window.groups), "{outputs} outputs in {} groups", window.groups);
}
