//! Limits on images.

/// Maximum number of pixels of an image; the largest cameras have 150 million.
pub(super) const MAX_PIXELS: u64 = 200_000_000;
