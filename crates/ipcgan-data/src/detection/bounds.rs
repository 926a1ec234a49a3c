//! Rectangles, and which of many that overlap to keep.

/// A rectangle in a photo, in pixels; it may reach beyond the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// First column.
    pub left: f32,
    /// First row.
    pub top: f32,
    /// End of the columns.
    pub right: f32,
    /// End of the rows.
    pub bottom: f32,
}

/// What of an overlap is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverlapOf {
    /// What the two cover together.
    Union,
    /// The smaller of the two.
    Smaller,
}

impl Bounds {
    /// Number of columns.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Number of rows.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// The square with the same centre and the longer side.
    pub(super) fn square(self) -> Self {
        let side = self.width().max(self.height());
        let (left, top) = (self.left + (self.width() - side) / 2.0, self.top + (self.height() - side) / 2.0);
        Self { left, top, right: left + side, bottom: top + side }
    }

    /// Each edge moved by its offset times `sizes` (width and height).
    pub(super) fn moved(self, offsets: [f32; 4], [width, height]: [f32; 2]) -> Self {
        let [left, top, right, bottom] = offsets;
        Self {
            left: self.left + left * width,
            top: self.top + top * height,
            right: self.right + right * width,
            bottom: self.bottom + bottom * height,
        }
    }

    /// Divided by `scale`.
    pub(super) fn scaled_back(self, scale: f32) -> Self {
        let Self { left, top, right, bottom } = self;
        Self { left: left / scale, top: top / scale, right: right / scale, bottom: bottom / scale }
    }

    /// The area that two share, as a share of another; 0 if they do not meet.
    pub(super) fn overlap(&self, other: &Self, of: OverlapOf) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let (shared, areas) = (width * height, [self, other].map(|bounds| bounds.width() * bounds.height()));
        match of {
            OverlapOf::Union => shared / (areas[0] + areas[1] - shared),
            OverlapOf::Smaller => shared / areas[0].min(areas[1]),
        }
    }
}

/// What has a place and a score.
pub(super) trait Scored {
    fn bounds(&self) -> &Bounds;
    fn score(&self) -> f32;
}

/// Sorts by score, surest first, and leaves out whatever overlaps something surer by more than `most`.
pub(super) fn surest<T: Scored>(mut found: Vec<T>, most: f32, of: OverlapOf) -> Vec<T> {
    found.sort_by(|a, b| b.score().total_cmp(&a.score()));
    let covered =
        |index: usize| found[..index].iter().any(|surer| surer.bounds().overlap(found[index].bounds(), of) > most);
    let keep: Vec<bool> = (0..found.len()).map(|index| !covered(index)).collect();
    let mut keep = keep.into_iter();
    found.retain(|_| keep.next() == Some(true));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Bounds = Bounds { left: 0.0, top: 0.0, right: 2.0, bottom: 2.0 };

    #[test]
    fn overlap_is_a_share_of_the_union_or_of_the_smaller() {
        let inside = Bounds { left: 1.0, top: 1.0, right: 2.0, bottom: 3.0 };

        assert_eq!(UNIT.overlap(&inside, OverlapOf::Union), 1.0 / 5.0);
        assert_eq!(UNIT.overlap(&inside, OverlapOf::Smaller), 0.5);
        assert_eq!(UNIT.overlap(&UNIT.moved([2.0; 4], [1.0, 1.0]), OverlapOf::Union), 0.0);
    }

    #[test]
    fn a_square_keeps_the_centre_and_the_longer_side() {
        let square = Bounds { left: 10.0, top: 10.0, right: 14.0, bottom: 20.0 }.square();

        assert_eq!(square, Bounds { left: 7.0, top: 10.0, right: 17.0, bottom: 20.0 });
    }
}
