//! Limits on images.

use std::path::Path;

use crate::DataError;

/// Minimum width and height of an image, in pixels.
const MIN_SIDE: u32 = 8;
/// Maximum number of pixels of an image; the largest cameras have 150 million.
pub(super) const MAX_PIXELS: u64 = 200_000_000;
/// Maximum size in bytes of a photo's file that is read into memory, such as one from a pipe: more than the largest photo
/// takes without compression.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// Checks the width and height of an image; `path` names it in errors.
///
/// # Errors
/// It is smaller than [`MIN_SIDE`] or has more than [`MAX_PIXELS`].
pub(super) fn check_size((width, height): (u32, u32), path: &Path) -> Result<(), DataError> {
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(DataError::TooSmall { path: path.into(), width, height, min: MIN_SIDE });
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DataError::TooLarge { path: path.into(), width, height, limit: MAX_PIXELS });
    }
    Ok(())
}
