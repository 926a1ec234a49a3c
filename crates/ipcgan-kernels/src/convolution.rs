//! Convolutions with prepared weights.

use crate::correlation::Correlation;
use crate::epilogue::Epilogue;
use crate::narrow::Narrow;
use crate::shuffled::Shuffled;
use crate::winograd::{self, Winograd};
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
    method: Method,
}

#[derive(Debug)]
enum Method {
    Direct(Correlation),
    Narrow(Narrow),
    Shuffled(Shuffled),
    Winograd(Winograd),
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
        let method = if arithmetic == Arithmetic::Fast && suits_winograd(channels, window, once) {
            Method::Winograd(Winograd::forward(instructions, weights, channels, window))
        } else if Narrow::suits(instructions, channels, window) {
            Method::Narrow(Narrow::new(instructions, weights, channels, window))
        } else {
            Method::Direct(Correlation::forward(instructions, weights, channels, window))
        };
        Self { method }.kept(once)
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
        let method = if arithmetic == Arithmetic::Fast && suits_winograd(channels, window, once) {
            Method::Winograd(Winograd::adjoint(instructions, weights, channels, window))
        } else if Shuffled::suits(instructions, channels, window) {
            Method::Shuffled(Shuffled::new(instructions, weights, channels, window))
        } else {
            Method::Direct(Correlation::adjoint(instructions, weights, channels, window))
        };
        Self { method }.kept(once)
    }

    /// Moved out of borrowed memory unless it is needed but once.
    fn kept(mut self, once: Option<Maps>) -> Self {
        match &mut self.method {
            _ if once.is_some() => {}
            Method::Direct(method) => method.settle(),
            Method::Narrow(method) => method.settle(),
            Method::Shuffled(method) => method.settle(),
            Method::Winograd(method) => method.settle(),
        }
        self
    }

    /// The values of an output of `sides` (height and width), channels last.
    ///
    /// # Panics
    /// If `input` does not hold the values of `maps`.
    pub fn run(&self, input: &[f32], maps: Maps, sides: [usize; 2], epilogue: &Epilogue<'_>) -> Vec<f32> {
        let mut output = Vec::new();
        self.run_into(input, maps, sides, epilogue, &mut output);
        output
    }

    /// [`Convolution::run`], with the memory that `output` has.
    ///
    /// # Panics
    /// If `input` does not hold the values of `maps`.
    pub fn run_into(
        &self,
        input: &[f32],
        maps: Maps,
        sides: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        assert_eq!(input.len(), maps.values(), "values of the input");
        match &self.method {
            Method::Direct(method) => method.run(input, maps, sides, epilogue, output),
            Method::Narrow(method) => method.run(input, maps, sides, epilogue, output),
            Method::Shuffled(method) => method.run(input, maps, sides, epilogue, output),
            Method::Winograd(method) => method.run(input, maps, sides, epilogue, output),
        }
    }
}

pub(crate) fn suits_winograd([outputs, inputs]: [usize; 2], window: &Window, once: Option<Maps>) -> bool {
    winograd::suits(window, [outputs / window.groups, inputs], once)
}

fn check(weights: &[f32], [outputs, inputs]: [usize; 2], window: &Window) {
    let count = outputs * inputs * window.kernel * window.kernel;
    assert_eq!(weights.len(), count, "weights of {outputs} outputs and {inputs} inputs");
    assert!(outputs.is_multiple_of(window.groups), "{outputs} outputs in {} groups", window.groups);
}
