//! Specification of networks, losses and files.
//!
//! Networks and training steps are checked on the CPU, or on the device that `IPCGAN_TEST_DEVICE` names (`vulkan`,
//! `wgpu:software`, ...); with `-- --nocapture` each comparison says how far it is off.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "how far a device is off is worth knowing when it passes too")]

mod detection;
mod judges;
mod networks;
mod reference;
mod training_step;
mod weights;
