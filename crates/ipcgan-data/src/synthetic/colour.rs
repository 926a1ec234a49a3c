//! Colours of the drawing.

/// Red, green and blue, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Colour(pub(super) [f32; 3]);

pub(super) const BLACK: Colour = Colour([0.0; 3]);
pub(super) const WHITE: Colour = Colour([1.0; 3]);

impl Colour {
    /// A colour in the notation of web pages, such as `0xff8000` for orange.
    pub(super) const fn hex(rgb: u32) -> Self {
        let [_, red, green, blue] = rgb.to_be_bytes();
        Self([red as f32 / 255.0, green as f32 / 255.0, blue as f32 / 255.0])
    }

    /// This colour mixed with `fraction` of another one.
    pub(super) fn mixed(self, other: Self, fraction: f32) -> Self {
        let [from, to] = [self.0, other.0];
        Self([0, 1, 2].map(|channel| from[channel] + fraction * (to[channel] - from[channel])))
    }

    /// This colour with its brightness multiplied by `light`.
    pub(super) fn times(self, light: f32) -> Self {
        Self(self.0.map(|value| (value * light).clamp(0.0, 1.0)))
    }

    /// Its luma, 0 to 1 (Rec. 601).
    pub(super) fn brightness(self) -> f32 {
        let [red, green, blue] = self.0;
        0.299 * red + 0.587 * green + 0.114 * blue
    }

    /// The colour at `place`, 0 to 1, of a gradient through several colours.
    pub(super) fn along(row: &[Self], place: f32) -> Self {
        let place = place.clamp(0.0, 1.0) * (row.len() - 1) as f32;
        let first = (place as usize).min(row.len() - 2);
        row[first].mixed(row[first + 1], place - first as f32)
    }
}
