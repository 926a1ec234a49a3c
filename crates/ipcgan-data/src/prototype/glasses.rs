//! Weights of faces that seem to wear glasses.
//!
//! A third of the older faces of FairFace wear them and few of the young, so that without weights a prototype of older
//! faces draws their frames.

use super::optical_flow::REFERENCE_SIDE;
use super::plane::Plane;

/// The bridge of the nose between eyes at heights of 0.30, as fractions of the side: where it is smooth without glasses.
const BRIDGE: Region = Region { columns: [0.453, 0.539], rows: [0.219, 0.391] };
/// The surroundings of the bridge and of the inner corners of the eyes, for the brightness of the skin.
const SURROUNDINGS: Region = Region { columns: [0.3125, 0.672], rows: [0.219, 0.469] };
/// Contrast of horizontal edges on the bridge above which most faces of FairFace wear glasses.
const CONTRAST: f32 = 0.06;
/// Standard deviation, at a side of 128, of the blur before the edges.
const BLUR: f32 = 0.7;
/// Number of rows at a side of 128 that the bar of a frame covers.
const BAR: f32 = 3.0;

/// A rectangle, as fractions of the side.
struct Region {
    columns: [f32; 2],
    rows: [f32; 2],
}

impl Region {
    /// The mean of `plane` in each row of the region.
    fn row_means(&self, plane: &Plane) -> Vec<f32> {
        let pixels = |[first, end]: [f32; 2]| {
            let [first, end] = [first, end].map(|fraction| (fraction * plane.side as f32).round() as usize);
            first..end.max(first + 1)
        };
        let columns = pixels(self.columns);
        let mean = |row: usize| {
            let values = &plane.values[row * plane.side..][columns.clone()];
            values.iter().sum::<f32>() / values.len() as f32
        };
        pixels(self.rows).map(mean).collect()
    }
}

/// Weight of a face with this `luminance` in the statistics: close to 1 without glasses, close to 0 where the bar of a
/// frame crosses the bridge of the nose. Above 0 for every face, so that faces that all look so have statistics too.
pub(super) fn weight_without_glasses(luminance: &Plane) -> f32 {
    1.0 / (1.0 + (bar_contrast(luminance) / CONTRAST).powi(4))
}

/// Contrast of the strongest horizontal edges on the bridge of the nose, relative to the brightness of its surroundings.
fn bar_contrast(luminance: &Plane) -> f32 {
    /// Added to the brightness: so that noise in black areas has no contrast.
    const DARK: f32 = 8.0;
    let scale = luminance.side as f32 / REFERENCE_SIDE;
    let smooth = luminance.blurred(BLUR * scale);
    // The change over a pixel of the reference.
    let edges = smooth.gradient_y().map(|change| change.abs() * scale);
    let mut bridge = BRIDGE.row_means(&edges);
    bridge.sort_by(|one, other| other.total_cmp(one));
    bridge.truncate(((BAR * scale).round() as usize).max(1));
    let surroundings = SURROUNDINGS.row_means(&smooth);
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    mean(&bridge) / (mean(&surroundings) + DARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 128;

    fn plane(value: impl Fn(usize, usize) -> f32) -> Plane {
        Plane::of((0..SIDE * SIDE).map(|index| value(index % SIDE, index / SIDE)).collect(), SIDE)
    }

    #[test]
    fn a_dark_bar_across_the_bridge_of_the_nose_takes_the_weight() {
        let bar = |y: usize| (36..39).contains(&y);
        let skin = plane(|_, y| 120.0 + 0.3 * y as f32);
        let frame = plane(|_, y| if bar(y) { 40.0 } else { 130.0 });
        let brows = plane(|x, y| if bar(y) && !(56..72).contains(&x) { 40.0 } else { 130.0 });

        assert!(weight_without_glasses(&skin) > 0.99, "{}", weight_without_glasses(&skin));
        assert!(weight_without_glasses(&brows) > 0.95, "{}", weight_without_glasses(&brows));
        let weight = weight_without_glasses(&frame);
        assert!(weight > 0.0 && weight < 0.1, "{weight}");
    }

    #[test]
    fn the_contrast_depends_little_on_size_and_brightness() {
        let frame = |side: usize, light: f32| {
            let value = |index: usize| {
                let y = (index / side) as f32 / side as f32;
                light * if (0.28..0.31).contains(&y) { 100.0 } else { 120.0 }
            };
            bar_contrast(&Plane::of((0..side * side).map(value).collect(), side))
        };

        let contrasts = [frame(128, 1.0), frame(256, 1.0), frame(128, 0.6)];

        assert!(contrasts.iter().all(|contrast| (contrast / contrasts[0] - 1.0).abs() < 0.35), "{contrasts:?}");
    }
}
