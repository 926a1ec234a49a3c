//! Arguments of a resize on any engine.

/// How to resize three channels to squares, and what happens to their values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResizeSpec {
    /// Side of the output.
    pub(crate) side: usize,
    /// Factor of the values.
    pub(crate) scale: f32,
    /// Added to each channel after scaling.
    pub(crate) shift: [f32; 3],
}
