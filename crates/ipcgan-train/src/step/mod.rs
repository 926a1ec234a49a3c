//! One step: losses, gradients of micro-batches, one update.

pub(crate) mod adam;
pub(crate) mod devices;
pub(crate) mod ema;
pub(crate) mod loss_scale;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod objective;
pub(crate) mod update;
