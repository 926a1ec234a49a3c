//! CPU kernels of IPCGAN.
//!
//! Feature maps lie channels last ([`Maps`]). [`Instructions`] says which vector instructions run;
//! results do not depend on the number of threads.
//!
//! ```
//! use ipcgan_kernels::{Arithmetic, Convolution, Epilogue, Instructions, Maps, Window};
//!
//! // Each output is the sum of the three by three pixels around it, with zeros outside.
//! let window = Window { kernel: 3, stride: 1, before: 1, after: 1, groups: 1 };
//! let instructions = Instructions::best();
//! let sum = Convolution::new(instructions, Arithmetic::Direct, &[1.0; 9], [1, 1], &window, None);
//! let maps = Maps { batch: 1, height: 4, width: 4, channels: 1 };
//!
//! let sums = sum.run(&[1.0; 16], maps, [4, 4], &Epilogue::default());
//!
//! assert_eq!(sums[..4], [4.0, 6.0, 6.0, 4.0]);
//! assert_eq!(sums[5], 9.0);
//! ```

mod adam;
mod conditioned;
mod convolution;
mod correlation;
mod depthwise;
mod epilogue;
mod frame;
mod instructions;
mod lanes;
mod linear;
mod maps;
mod memory;
mod narrow;
mod norm;
mod one_by_one;
mod outer;
mod output;
mod panels;
mod pointwise;
mod pool;
mod resize;
mod scratch;
mod shuffled;
mod squares;
mod weight_gradient;
mod window;
mod winograd;

pub use adam::Adam;
pub use conditioned::Conditioned;
pub use convolution::{Arithmetic, Convolution};
pub use epilogue::{Activation, Epilogue};
pub use instructions::Instructions;
pub use linear::Linear;
pub use maps::Maps;
pub use memory::{LineAllocator, give_back_freed_memory, keep_freed_memory};
pub use norm::{Norm, NormGradients, Statistics, channel_sums};
pub use pointwise::{activation_gradient, bounded, bounded_gradient};
pub use pool::{Pooling, max_pool, max_pool_gradient, response_norm, response_norm_gradient};
pub use resize::Resize;
pub use squares::{mean_square, mean_square_gradient};
pub use weight_gradient::weight_gradient;
pub use window::Window;
