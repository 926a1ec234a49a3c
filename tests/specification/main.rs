//! What the networks, losses and files of IPCGAN must be and do.

mod networks;
mod reference;
mod training_step;
mod weights;
