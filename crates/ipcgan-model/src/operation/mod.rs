//! The operations that dominate the run time, on any device.
//!
//! Each function selects an [`Engine`](engine::Engine) by the device: the project's CPU kernels, its GPU kernels (`gpu`), or
//! Burn's operations, where there are no kernels. All of them support autodiff. Networks call these functions and need not
//! know the device; Burn's layers hold the parameters.
//!
//! Outputs of the CPU kernels are channels last in memory (NHWC). To Burn they are `[batch, channels, height, width]` with
//! other strides, so its operations accept them.

mod activation;
mod adam;
mod batch_norm;
#[cfg(test)]
mod burn_comparison;
mod concat;
mod constant;
mod convolution;
mod cross_entropy;
mod diversity;
mod ema;
mod engine;
mod folded_conv;
mod frozen_conv;
mod frozen_linear;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "no_gpu.rs"]
mod gpu;
mod kernel_launches;
mod linear;
mod mean_squared_error;
mod nhwc_tensor;
mod packed_conv;
mod pool;
mod precision;
mod resize;
mod scale;
mod square_sum;
mod tanh;
mod window;

pub use adam::{adam_update, can_adam_update, update_together};
pub(crate) use batch_norm::{BatchNormPass, batch_norm};
pub(crate) use concat::{BatchGather, concat_batches, concat_conditions, residual_add};
pub(crate) use constant::{constant, count_from_zero};
pub(crate) use convolution::{convolution, transposed_convolution};
pub(crate) use cross_entropy::cross_entropy;
pub use diversity::diversity;
pub use ema::ema_tensor_update;
pub use engine::is_flex;
pub(crate) use engine::is_packable;
pub(crate) use folded_conv::FoldedConv;
pub(crate) use frozen_conv::FrozenConv;
pub(crate) use frozen_linear::FrozenLinear;
pub(crate) use gpu::in_memory_of;
pub use gpu::{StepGraph, TensorCopies};
pub use kernel_launches::KernelLaunches;
pub(crate) use linear::linear;
pub(crate) use mean_squared_error::{Target, squared_distance, weighted_squared_error};
pub(crate) use packed_conv::{PackedConv, tensor_from_nhwc, with_nhwc_values};
pub(crate) use pool::{local_response_norm, max_pool};
pub use precision::Precision;
pub(crate) use resize::{ResizeSpec, resize};
pub use scale::MultiTensorScale;
pub use square_sum::SquareSum;
pub(crate) use tanh::{tanh, tanh_offset};
pub use window::{WindowOffset, renew_window_offset, window};
