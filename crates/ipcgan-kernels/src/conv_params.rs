//! The window that a convolution moves over its input.

/// Size and steps of a square window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvParams {
    /// Its side in pixels.
    pub kernel: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Rows of zeros above and columns of zeros left of the input.
    pub pad_before: usize,
    /// Rows of zeros below and columns of zeros right of the input.
    pub pad_after: usize,
    /// Groups of channels that do not see one another.
    pub groups: usize,
}

impl ConvParams {
    /// Side of the output for an input's `side`.
    ///
    /// # Panics
    /// If the window is larger than the padded input.
    pub fn output_side(&self, side: usize) -> usize {
        let padded = side + self.pad_before + self.pad_after;
        assert!(padded >= self.kernel, "a window of {} pixels does not fit an input of {padded}", self.kernel);
        (padded - self.kernel) / self.stride + 1
    }
}
