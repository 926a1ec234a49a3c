//! Epilogue of a kernel: bias, residual and activation, applied before a sum is stored.

use pulp::Simd;

use crate::lanes::{load, store};

/// Bias, residual and activation, fused with the convolution before them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// A value for each output channel.
    pub bias: Option<&'a [f32]>,
    /// Values of the output's size, added before the activation.
    pub residual: Option<&'a [f32]>,
    /// The activation.
    pub activation: Activation,
}

/// An activation that is the identity above zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// Zero below zero.
    Relu,
    /// Multiplied by a slope, at most one, below zero.
    LeakyRelu(f32),
}

impl Activation {
    /// Factor of values below zero; 1 without an activation.
    pub fn slope(self) -> f32 {
        match self {
            Self::None => 1.0,
            Self::Relu => 0.0,
            Self::LeakyRelu(slope) => slope,
        }
    }
}

impl Epilogue<'_> {
    /// Applies the epilogue to the sum of one channel, at index `position` of the whole output.
    pub(crate) fn apply(&self, sum: f32, channel: usize, position: usize) -> f32 {
        let bias = self.bias.map_or(0.0, |bias| bias[channel]);
        let residual = self.residual.map_or(0.0, |residual| residual[position]);
        let value = sum + bias + residual;
        value.max(value * self.activation.slope())
    }

    /// Applies the epilogue to `sums`, vectors of the channels from `channel` on, and writes as many channels as
    /// `output` holds; `position` is the index of `output` in the whole output.
    #[inline(always)]
    pub(crate) fn store<S: Simd>(
        &self,
        simd: S,
        sums: &[S::f32s],
        channel: usize,
        output: &mut [f32],
        position: usize,
    ) {
        let slope = simd.splat_f32s(self.activation.slope());
        for (index, (&sum, output)) in sums.iter().zip(output.chunks_mut(S::F32_LANES)).enumerate() {
            let (first, count) = (index * S::F32_LANES, output.len());
            let mut value = sum;
            if let Some(bias) = self.bias {
                value = simd.add_f32s(value, load(simd, &bias[channel + first..][..count]));
            }
            if let Some(residual) = self.residual {
                value = simd.add_f32s(value, load(simd, &residual[position + first..][..count]));
            }
            if self.activation != Activation::None {
                value = simd.max_f32s(value, simd.mul_f32s(value, slope));
            }
            store(simd, output, value);
        }
    }
}
