//! Output parametrization of the generator: how faces follow from the output of its last layer.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::operation::{tanh, tanh_offset};

/// Source pixels are scaled by this before `atanh`, which is infinite at pure black and white.
pub(crate) const SOURCE_SCALE: f64 = 0.98;

/// Maximum decrease and increase of a face's saturation by [`GeneratorOutput::LuminanceSaturation`], as a fraction.
pub(crate) const MAX_SATURATION_CHANGE: [f64; 2] = [0.5, 0.25];

/// Output parametrization of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneratorOutput {
    /// The face itself, `tanh(head)`, as published.
    Direct,
    /// A residual to the source face, `tanh(head + atanh(0.98 source))`.
    ///
    /// Starts as the identity, so that a short training run spends no steps on learning to copy.
    Residual,
    /// A residual of luminance only, equal for all three channels: [`GeneratorOutput::Residual`] with a one-channel
    /// `head`.
    ///
    /// A tint is the cheapest way to satisfy a small age classifier; this parametrization cannot produce one. It can
    /// still produce lines, folds and shadows.
    LuminanceResidual,
    /// A residual of luminance and saturation, `tanh(head_1 + atanh(0.98 s))`, where `s` is the source with its
    /// distance from grey multiplied by `1 + 0.5 tanh(head_2)`, or by `1 + 0.25 tanh(head_2)` where `head_2` is positive.
    ///
    /// Hair can turn grey and lips pale, but no new hue can appear and no colour can become much stronger. Tints are
    /// the cheapest way to satisfy an age classifier; red or grey patches on skin are the next.
    LuminanceSaturation,
}

impl GeneratorOutput {
    /// Channels of the last layer.
    pub(super) fn head_channels(self) -> usize {
        match self {
            Self::Direct | Self::Residual => 3,
            Self::LuminanceResidual => 1,
            Self::LuminanceSaturation => 2,
        }
    }

    /// Faces from the output of the last layer.
    ///
    /// # Shapes
    /// - `head`: `[batch, head_channels, height, width]`
    /// - `source`: the source faces, `[batch, 3, height, width]`, RGB, in [-1, 1]
    /// - returns: as `source`
    pub(super) fn faces(self, head: Tensor<4>, source: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Direct => tanh(head),
            Self::Residual => tanh_offset(head, source * SOURCE_SCALE),
            Self::LuminanceResidual => tanh_offset(head.repeat_dim(1, 3), source * SOURCE_SCALE),
            Self::LuminanceSaturation => {
                let [luminance, saturation] = [0, 1].map(|channel| head.clone().narrow(1, channel, 1));
                let grey = source.clone().mean_dim(1);
                let recoloured = (source - grey.clone()) * saturation_factor(saturation) + grey;
                tanh_offset(luminance.repeat_dim(1, 3), recoloured.clamp(-1.0, 1.0) * SOURCE_SCALE)
            }
        }
    }
}

/// Saturation factor from `head`, the saturation channel of the last layer's output.
fn saturation_factor(head: Tensor<4>) -> Tensor<4> {
    let [decrease, increase] = MAX_SATURATION_CHANGE;
    let change = head.tanh();
    change.clone() * decrease - change.clamp_min(0.0) * (decrease - increase) + 1.0
}
