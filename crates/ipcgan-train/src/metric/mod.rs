//! Metrics of training and validation.

pub(crate) mod epoch;
pub(crate) mod realism;
pub(crate) mod set;
pub(crate) mod verification;
