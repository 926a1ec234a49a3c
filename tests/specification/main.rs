//! What the networks, losses and files of IPCGAN must be and do.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod detection;
mod judges;
mod networks;
mod reference;
mod training_step;
mod weights;
