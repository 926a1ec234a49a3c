//! CPU kernels of IPCGAN.
//!
//! Feature maps lie channels last ([`Maps`]). [`Instructions`] says which vector instructions run;
//! results do not depend on the number of threads.

#![forbid(unsafe_code)]

mod convolution;
mod correlation;
mod epilogue;
mod frame;
mod instructions;
mod lanes;
mod maps;
mod narrow;
mod outer;
mod panels;
mod scratch;
mod shuffled;
mod weight_gradient;
mod window;
mod winograd;

pub use convolution::{Arithmetic, Convolution};
pub use epilogue::{Activation, Epilogue};
pub use instructions::Instructions;
pub use maps::Maps;
pub use weight_gradient::weight_gradient;
pub use window::Window;
