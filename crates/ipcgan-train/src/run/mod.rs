//! The files of a run.

pub(crate) mod checkpoint;
pub(crate) mod folder;
pub(crate) mod summary;
