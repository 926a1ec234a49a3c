#![doc = include_str!("../README.md")]
//!
#![doc = concat!("![Time of other programs relative to ours](data:image/svg+xml;base64,", include_str!("../front_picture.txt"), ")")]
//!
//! Feature maps are channels last ([`Nhwc`]). [`InstructionSet`] selects the SIMD instructions.

mod adam;
mod batch_norm;
mod condition_concat;
mod conv_params;
mod convolution;
mod depthwise;
mod elementwise;
mod epilogue;
mod few_outputs;
mod implicit_gemm;
mod instruction_set;
mod lanes;
mod linear;
mod memory;
mod nhwc;
mod outer_product;
mod output;
mod padded_region;
mod panels;
mod pointwise_conv;
mod pool;
mod resize;
mod scratch;
mod squared_error;
mod sub_pixel;
mod thread_pool;
mod weight_gradient;
mod winograd;

pub use adam::Adam;
pub use batch_norm::{BatchNormGradients, BatchNormParams, BatchStatistics, channel_sums};
pub use condition_concat::ConditionConcat;
pub use conv_params::ConvParams;
pub use convolution::{ConvAlgorithm, Convolution};
pub use elementwise::{activation_gradient, tanh, tanh_gradient};
pub use epilogue::{Activation, Epilogue};
pub use instruction_set::InstructionSet;
pub use linear::{HalfLinear, Linear};
pub use memory::{CacheAlignedAllocator, release_freed_memory, retain_freed_memory};
pub use nhwc::Nhwc;
pub use pool::{MaxPoolParams, local_response_norm, local_response_norm_gradient, max_pool, max_pool_gradient};
pub use resize::Resize;
pub use squared_error::{mean_squared_error, mean_squared_error_gradient};
pub use thread_pool::in_thread_pool;
pub use weight_gradient::weight_gradient;
