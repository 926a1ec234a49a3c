//! Convolutions with packed weights.

use std::fmt::Debug;

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
    params: ConvParams,
    direction: Direction,
    /// Channels of the input.
    inputs: usize,
    /// Channels of the output.
    outputs: usize,
    weights: Packed,
}

/// `Forward` maps the input of the convolution to its output; `Adjoint` maps the shape of its output to that of its
/// input.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Forward,
    Adjoint,
}

/// The algorithms that the weights are packed for.
#[derive(Debug)]
enum Packed {
    Direct(Box<dyn PackedWeights>),
    Winograd(Winograd),
    /// The faster one depends on the size of the output.
    Both {
        direct: Box<dyn PackedWeights>,
        winograd: Winograd,
    },
}

/// Weights of a convolution, packed for one algorithm.
pub(crate) trait PackedWeights: Debug + Send + Sync {
    /// Replaces the contents of `output` by the values of an output of `[height, width]`.
    fn run(&self, input: &[f32], input_shape: Nhwc, sides: [usize; 2], epilogue: &Epilogue<'_>, output: &mut Vec<f32>);

    /// Copies the weights out of the buffer pool, because they outlive the call.
    fn make_owned(&mut self);
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
        let direct = || -> Box<dyn PackedWeights> {
            if is_depthwise(channels, params) {
                Box::new(Depthwise::new(instructions, weights, params))
            } else if PointwiseConv::suits(params) {
                Box::new(PointwiseConv::new(instructions, weights, channels))
            } else if FewOutputs::suits(instructions, channels, params) {
                Box::new(FewOutputs::new(instructions, weights, channels, params))
            } else {
                Box::new(ImplicitGemm::forward(instructions, weights, channels, params))
            }
        };
        let winograd = || Winograd::forward(instructions, weights, channels, params);
        let [outputs, group_inputs] = channels;
        Self {
            params: *params,
            direction: Direction::Forward,
            inputs: group_inputs * params.groups,
            outputs,
            weights: Packed::new(algorithm, channels, params, once, direct, winograd),
        }
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
        let direct = || -> Box<dyn PackedWeights> {
            match SubPixel::suits(instructions, channels, params) {
                true => Box::new(SubPixel::new(instructions, weights, channels, params)),
                false => Box::new(ImplicitGemm::adjoint(instructions, weights, channels, params)),
            }
        };
        let winograd = || Winograd::adjoint(instructions, weights, channels, params);
        let [outputs, group_inputs] = channels;
        Self {
            params: *params,
            direction: Direction::Adjoint,
            inputs: outputs,
            outputs: group_inputs * params.groups,
            weights: Packed::new(algorithm, channels, params, once, direct, winograd),
        }
    }

    /// The values of an output of `sides` (height and width), channels last.
    ///
    /// A convolution has one output for the sides of an input, by [`ConvParams::output_side`]. Its adjoint has several
    /// if the stride is above one: `sides` are any that the convolution maps to the sides of `shape`.
    ///
    /// # Panics
    /// If `input` does not hold the values of `shape`, the channels of `shape` are not those of the weights, `sides` are
    /// not as above, or `epilogue` has a bias or residual of another size than the output.
    pub fn run(&self, input: &[f32], shape: Nhwc, sides: [usize; 2], epilogue: &Epilogue<'_>) -> Vec<f32> {
        let mut output = Vec::new();
        self.run_into(input, shape, sides, epilogue, &mut output);
        output
    }

    /// [`Convolution::run`], with the memory that `output` has.
    ///
    /// # Panics
    /// As [`Convolution::run`].
    pub fn run_into(
        &self,
        input: &[f32],
        shape: Nhwc,
        sides: [usize; 2],
        epilogue: &Epilogue<'_>,
        output: &mut Vec<f32>,
    ) {
        assert_eq!(input.len(), shape.num_elements(), "values of the input");
        assert_eq!(shape.channels, self.inputs, "channels of the input");
        self.check_sides([shape.height, shape.width], sides);
        let output_shape = Nhwc { height: sides[0], width: sides[1], channels: self.outputs, ..shape };
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == self.outputs), "values of the bias");
        let fits = |residual: &[f32]| residual.len() == output_shape.num_elements();
        assert!(epilogue.residual.is_none_or(fits), "values of the residual");
        self.weights.faster(self.params.kernel, output_shape).run(input, shape, sides, epilogue, output);
    }

    fn check_sides(&self, input: [usize; 2], output: [usize; 2]) {
        let (from, to) = match self.direction {
            Direction::Forward => (input, output),
            Direction::Adjoint => (output, input),
        };
        let expected = from.map(|side| self.params.output_side(side));
        assert_eq!(expected, to, "height and width of an output of {output:?} from an input of {input:?}");
    }
}

impl Packed {
    /// If the convolution runs once, weights are packed for the faster algorithm, in pooled memory; otherwise for both,
    /// because the faster algorithm depends on the size of the output.
    fn new(
        algorithm: ConvAlgorithm,
        channels: [usize; 2],
        params: &ConvParams,
        once: Option<Nhwc>,
        direct: impl FnOnce() -> Box<dyn PackedWeights>,
        winograd: impl FnOnce() -> Winograd,
    ) -> Self {
        let winograd_applies = algorithm == ConvAlgorithm::Winograd && supports_winograd(channels, params);
        if let Some(shape) = once {
            return match winograd_applies && winograd::is_faster(params.kernel, shape, WeightState::Raw) {
                true => Self::Winograd(winograd()),
                false => Self::Direct(direct()),
            };
        }
        let mut direct = direct();
        direct.make_owned();
        if !winograd_applies {
            return Self::Direct(direct);
        }
        let mut winograd = winograd();
        winograd.make_owned();
        Self::Both { direct, winograd }
    }

    /// The weights for the faster algorithm that they are packed for.
    fn faster(&self, kernel: usize, output_shape: Nhwc) -> &dyn PackedWeights {
        match self {
            Self::Direct(direct) => &**direct,
            Self::Winograd(winograd) => winograd,
            Self::Both { direct, winograd } => {
                match winograd::is_faster(kernel, output_shape, WeightState::Transformed) {
                    true => winograd,
                    false => &**direct,
                }
            }
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
