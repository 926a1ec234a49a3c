//! CPU kernels of IPCGAN.
//!
//! Feature maps are channels last ([`Nhwc`]). [`InstructionSet`] selects the SIMD instructions;
//! results do not depend on the number of threads.
//!
//! ```
//! use ipcgan_kernels::{ConvAlgorithm, Convolution, Epilogue, InstructionSet, Nhwc, ConvParams};
//!
//! // Each output is the sum of the three by three pixels around it, with zeros outside.
//! let params = ConvParams { kernel: 3, stride: 1, pad_before: 1, pad_after: 1, groups: 1 };
//! let instructions = InstructionSet::best();
//! let sum = Convolution::new(instructions, ConvAlgorithm::Direct, &[1.0; 9], [1, 1], &params, None);
//! let shape = Nhwc { batch: 1, height: 4, width: 4, channels: 1 };
//!
//! let sums = sum.run(&[1.0; 16], shape, [4, 4], &Epilogue::default());
//!
//! assert_eq!(sums[..4], [4.0, 6.0, 6.0, 4.0]);
//! assert_eq!(sums[5], 9.0);
//! ```

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
pub use linear::Linear;
pub use memory::{CacheAlignedAllocator, release_freed_memory, retain_freed_memory};
pub use nhwc::Nhwc;
pub use pool::{MaxPoolParams, local_response_norm, local_response_norm_gradient, max_pool, max_pool_gradient};
pub use resize::Resize;
pub use squared_error::{mean_squared_error, mean_squared_error_gradient};
pub use weight_gradient::weight_gradient;
