//! CPU kernels of IPCGAN.
//!
//! Feature maps lie channels last ([`Maps`]). [`Instructions`] says which vector instructions run;
//! results do not depend on the number of threads.

mod adam;
mod conditioned;
mod convolution;
mod correlation;
mod epilogue;
mod frame;
mod instructions;
mod lanes;
mod linear;
mod maps;
mod memory;
mod narrow;
mod norm;
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
