//! Mixed precision: number format of convolutions and matrix products.

use std::fmt;

use burn::module::Param;
use burn::nn::Linear;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use super::gpu::multiplies_in_tf32;

/// Number format of convolutions and matrix products (mixed precision); each network computes in its own.
///
/// Weights, normalization layers, losses and optimizers stay in float32: weights are cast for each use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits everywhere.
    #[default]
    Float32,
    /// TF32: 32 bits, but tensor cores round the factors of products to a 10-bit mantissa.
    Tf32,
    /// 16 bits with a 5-bit exponent; needs loss scaling, so that small gradients do not underflow.
    Float16,
    /// 16 bits with an 8-bit exponent, as in float32.
    Bfloat16,
}

impl Precision {
    /// Whether `device` supports it.
    pub fn is_supported_by(self, device: &Device) -> bool {
        match self {
            Self::Tf32 => multiplies_in_tf32(device),
            _ => self.reduced_dtype().is_none_or(|dtype| device.supports_dtype(dtype)),
        }
    }

    /// `run(layer, x)` by Burn, in this precision.
    pub(super) fn run<L: CastWeights, const D: usize>(
        self,
        layer: &L,
        x: Tensor<D>,
        run: impl Fn(&L, Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        match self.reduced_dtype() {
            None => run(layer, x),
            Some(dtype) => run(&layer.cast_weights(dtype), x.cast(dtype)).cast(DType::F32),
        }
    }

    /// The reduced-precision type; `None` for float32 and TF32.
    pub(super) fn reduced_dtype(self) -> Option<DType> {
        match self {
            Self::Float32 | Self::Tf32 => None,
            Self::Float16 => Some(DType::F16),
            Self::Bfloat16 => Some(DType::BF16),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Float32 => "float32",
            Self::Tf32 => "tf32",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
        })
    }
}

/// A layer that can be computed in reduced precision.
pub(super) trait CastWeights: Clone {
    /// The layer with weights cast to `dtype`; gradients flow to the original weights.
    fn cast_weights(&self, dtype: DType) -> Self;
}

impl CastWeights for Conv2d {
    fn cast_weights(&self, dtype: DType) -> Self {
        Self {
            weight: cast(&self.weight, dtype),
            bias: self.bias.as_ref().map(|bias| cast(bias, dtype)),
            ..self.clone()
        }
    }
}

impl CastWeights for ConvTranspose2d {
    fn cast_weights(&self, dtype: DType) -> Self {
        Self {
            weight: cast(&self.weight, dtype),
            bias: self.bias.as_ref().map(|bias| cast(bias, dtype)),
            ..self.clone()
        }
    }
}

impl CastWeights for Linear {
    fn cast_weights(&self, dtype: DType) -> Self {
        Self { weight: cast(&self.weight, dtype), bias: self.bias.as_ref().map(|bias| cast(bias, dtype)) }
    }
}

fn cast<const D: usize>(weight: &Param<Tensor<D>>, dtype: DType) -> Param<Tensor<D>> {
    weight.clone().map(|weight| weight.cast(dtype))
}
