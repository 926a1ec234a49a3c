//! Limits on images.

/// Maximum number of pixels of an image; the largest cameras have 150 million.
pub(super) const MAX_PIXELS: u64 = 200_000_000;
/// Maximum size in bytes of a photo's file that is read into memory, such as one from a pipe: more than the largest photo
/// takes without compression.
pub const MAX_FILE_BYTES: u64 = 2 << 30;
