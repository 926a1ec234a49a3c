//! Zero-padded copies of regions of feature maps, so that inner loops need no bounds checks.

use std::ops::Range;

use crate::Nhwc;

/// A region of an image that may extend beyond its borders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaddedRegion {
    /// First row, in the image's rows.
    pub(crate) top: isize,
    /// First column, in the image's columns.
    pub(crate) left: isize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl PaddedRegion {
    /// Copies the `channels` of this region of `image` to `copy`; zeros outside the image.
    pub(crate) fn copy(&self, image: &[f32], shape: Nhwc, channels: Range<usize>, copy: &mut [f32]) {
        let count = channels.len();
        let inside = |first: isize, length: usize, limit: usize| {
            let begin = (-first).clamp(0, length as isize) as usize;
            let end = (limit as isize - first).clamp(begin as isize, length as isize) as usize;
            begin..end
        };
        let (rows, columns) = (inside(self.top, self.height, shape.height), inside(self.left, self.width, shape.width));
        for (y, row) in copy.chunks_exact_mut((self.width * count).max(1)).take(self.height).enumerate() {
            if !rows.contains(&y) || columns.is_empty() {
                row.fill(0.0);
                continue;
            }
            let (before, rest) = row.split_at_mut(columns.start * count);
            let (middle, after) = rest.split_at_mut(columns.len() * count);
            before.fill(0.0);
            after.fill(0.0);
            let pixel = (self.top + y as isize) as usize * shape.width + (self.left + columns.start as isize) as usize;
            let source = &image[pixel * shape.channels..][..columns.len() * shape.channels];
            if count == shape.channels {
                middle.copy_from_slice(source);
            } else {
                for (to, from) in middle.chunks_exact_mut(count).zip(source.chunks_exact(shape.channels)) {
                    to.copy_from_slice(&from[channels.clone()]);
                }
            }
        }
    }
}
