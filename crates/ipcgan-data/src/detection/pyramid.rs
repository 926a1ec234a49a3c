//! The image pyramid of a photo, and the tiles of each level.

/// Scale factor between two levels. The network reliably detects faces of 32 to 300 pixels, so no size falls between
/// two levels.
const STEP: f64 = 4.0;
/// Shorter side, in pixels, up to which a level is the coarsest: a face that fills it is still detected.
const COARSEST_SIDE: f64 = 320.0;
/// Shorter side of the coarsest level in pixels, if there are several.
const COARSE_SIDE: f64 = 256.0;
/// Maximum number of pixels of a level that is not cut into tiles.
const MAX_WHOLE: usize = 1_500_000;
/// Side of a tile.
const TILE: usize = 1024;
/// Overlap of adjacent tiles. Larger faces are detected in the next coarser level.
pub(super) const TILE_OVERLAP: usize = 192;

/// A level of the image pyramid: the photo resized to `width` x `height` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PyramidLevel {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A part of a level, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// The levels of a photo of `[width, height]`, finest first; the finest one is at `scale` of the photo's size.
pub(super) fn pyramid_levels([width, height]: [u32; 2], scale: f64) -> Vec<PyramidLevel> {
    let shorter = f64::from(width.min(height));
    let coarsest = COARSE_SIDE / shorter;
    let mut scales = vec![scale];
    let mut last = scale;
    while shorter * last > COARSEST_SIDE {
        last = (last / STEP).max(coarsest);
        scales.push(last);
    }
    let side = |side: u32, scale: f64| ((f64::from(side) * scale).round() as usize).max(1);
    scales.into_iter().map(|scale| PyramidLevel { width: side(width, scale), height: side(height, scale) }).collect()
}

impl PyramidLevel {
    /// The tiles, which together cover the level.
    pub(super) fn tiles(self) -> Vec<Tile> {
        let Self { width, height } = self;
        if width * height <= MAX_WHOLE {
            return vec![Tile { left: 0, top: 0, width, height }];
        }
        let columns = starts(width);
        let rows = starts(height);
        let tile =
            |left: usize, top: usize| Tile { left, top, width: TILE.min(width - left), height: TILE.min(height - top) };
        rows.into_iter().flat_map(|top| columns.iter().map(move |&left| tile(left, top))).collect()
    }
}

/// Tile offsets along one axis.
fn starts(side: usize) -> Vec<usize> {
    let step = TILE - TILE_OVERLAP;
    let count = side.saturating_sub(TILE_OVERLAP).div_ceil(step).max(1);
    (0..count).map(|index| index * step).collect()
}

impl Tile {
    /// Whether this tile owns a face with its centre at `[x, y]` of the level: the border between two tiles is the
    /// middle of their overlap.
    pub(super) fn owns(&self, level: PyramidLevel, [x, y]: [f32; 2]) -> bool {
        let inside = |point: f32, first: usize, count: usize, side: usize| {
            let half = (TILE_OVERLAP / 2) as f32;
            let begin = if first == 0 { f32::NEG_INFINITY } else { first as f32 + half };
            let end = if first + count == side { f32::INFINITY } else { (first + count) as f32 - half };
            (begin..end).contains(&point)
        };
        inside(x, self.left, self.width, level.width) && inside(y, self.top, self.height, level.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_photo_is_searched_once_as_it_is() {
        assert_eq!(pyramid_levels([400, 300], 1.0), [PyramidLevel { width: 400, height: 300 }]);
    }

    #[test]
    fn the_coarsest_level_of_a_large_photo_is_small_enough_for_a_face_that_fills_it() {
        let sizes = pyramid_levels([4000, 3000], 0.5);

        assert_eq!(sizes[0], PyramidLevel { width: 2000, height: 1500 });
        assert_eq!(*sizes.last().unwrap(), PyramidLevel { width: 341, height: 256 });
        assert!(sizes.windows(2).all(|pair| pair[0].height <= 4 * pair[1].height + 4));
    }

    #[test]
    fn the_shorter_side_limits_the_number_of_levels() {
        assert_eq!(pyramid_levels([50_000, 300], 0.2), [PyramidLevel { width: 10_000, height: 60 }]);
    }

    #[test]
    fn a_thin_photo_keeps_one_pixel() {
        assert_eq!(pyramid_levels([9000, 1], 0.3), [PyramidLevel { width: 2700, height: 1 }]);
    }

    #[test]
    fn tiles_cover_a_large_level_and_each_point_has_one_owner() {
        let level = PyramidLevel { width: 2500, height: 1900 };
        let tiles = level.tiles();

        assert!(tiles.len() > 1 && tiles.iter().all(|tile| tile.width <= TILE && tile.height <= TILE));
        for point in [[0.0, 0.0], [928.0, 928.0], [927.9, 500.0], [1800.5, 1760.0], [2499.0, 1899.0]] {
            let owners: Vec<&Tile> = tiles.iter().filter(|tile| tile.owns(level, point)).collect();

            assert_eq!(owners.len(), 1, "{point:?}");
            let inside =
                |point: f32, first: usize, count: usize| (first as f32..=(first + count) as f32).contains(&point);
            let [x, y] = point;
            assert!(inside(x, owners[0].left, owners[0].width) && inside(y, owners[0].top, owners[0].height));
        }
    }
}
