//! Memory layout of feature maps (NHWC).

/// Shape of a batch of feature maps in NHWC order (channels last): the channels of a pixel are side by
/// side, then come the pixels of a row, the rows of a map, the maps of the batch.
///
/// With channels last every kernel reads and writes whole vectors of neighbouring channels: no
/// column buffer, no shuffles, no gaps where a stride skips pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nhwc {
    /// Number of images.
    pub batch: usize,
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Channels of a pixel.
    pub channels: usize,
}

impl Nhwc {
    /// Number of values.
    pub fn num_elements(&self) -> usize {
        self.batch * self.image_elements()
    }

    /// Number of pixels in the batch.
    pub fn pixels(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// Number of values of one image.
    pub(crate) fn image_elements(&self) -> usize {
        self.height * self.width * self.channels
    }
}
