//! Parameters of a convolution.

/// Kernel size, stride, padding and groups of a convolution with a square kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvParams {
    /// Kernel size in pixels, at least 1.
    pub kernel: usize,
    /// Stride in pixels, at least 1.
    pub stride: usize,
    /// Zero padding above and left of the input.
    pub pad_before: usize,
    /// Zero padding below and right of the input.
    pub pad_after: usize,
    /// Number of channel groups, at least 1.
    pub groups: usize,
}

impl ConvParams {
    /// Side of the output for an input's `side`.
    ///
    /// # Panics
    /// If the kernel is larger than the padded input.
    pub fn output_side(&self, side: usize) -> usize {
        let padded = side + self.pad_before + self.pad_after;
        assert!(padded >= self.kernel, "a kernel of {} pixels does not fit an input of {padded}", self.kernel);
        (padded - self.kernel) / self.stride + 1
    }
}
