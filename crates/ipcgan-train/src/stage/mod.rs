//! What every stage has: its definition, its state in a run, and what its training needs.

pub(crate) mod context;
pub(crate) mod definition;
pub(crate) mod parts;
pub(crate) mod state;
