//! Bounding boxes.

/// A bounding box in a photo, in pixels; it may extend beyond the photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundingBox {
    /// First column.
    pub left: f32,
    /// First row.
    pub top: f32,
    /// End of the columns (exclusive).
    pub right: f32,
    /// End of the rows (exclusive).
    pub bottom: f32,
}

impl BoundingBox {
    /// Number of columns.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Number of rows.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// `[column, row]` of its centre.
    pub(super) fn centre(&self) -> [f32; 2] {
        [(self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0]
    }

    /// The longer of its sides.
    pub(super) fn longer_side(&self) -> f32 {
        self.width().max(self.height())
    }

    /// Intersection over union (IoU) with another; 0 if they are disjoint.
    pub(super) fn iou(&self, other: &Self) -> f32 {
        let shared = self.intersection(other);
        shared / (self.area() + other.area() - shared)
    }

    /// The fraction of its area inside another.
    pub(super) fn fraction_in(&self, other: &Self) -> f32 {
        self.intersection(other) / self.area()
    }

    fn area(&self) -> f32 {
        self.width() * self.height()
    }

    fn intersection(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_intersection_over_the_union() {
        let bounds = BoundingBox { left: 0.0, top: 0.0, right: 2.0, bottom: 2.0 };
        let other = BoundingBox { left: 1.0, top: 1.0, right: 2.0, bottom: 3.0 };
        let beside = BoundingBox { left: 2.0, top: 0.0, right: 4.0, bottom: 2.0 };

        assert_eq!(bounds.iou(&other), 1.0 / 5.0);
        assert_eq!(bounds.iou(&beside), 0.0);
        assert_eq!(bounds.fraction_in(&other), 0.25);
    }
}
