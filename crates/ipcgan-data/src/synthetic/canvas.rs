//! A canvas on which a head is drawn in face coordinates, and its shapes.
//!
//! Face coordinates: the upright image is the unit square, x to the right, y down.

use tiny_skia::{
    BlendMode, Color, FillRule, GradientStop, Mask, Paint, Path, PathBuilder, Pixmap, Point, RadialGradient, Rect,
    Shader, SpreadMode, Transform,
};

use super::capture::Pose;
use super::colour::Colour;

/// A place in face coordinates.
pub(super) type Position = [f32; 2];

/// The middle of the face, between eyes at 0.30 and 0.68.
pub(super) const MIDDLE: f32 = 0.49;

/// Opacity below which no byte changes.
const INVISIBLE: f32 = 0.004;

/// A transparent image with a head on it.
pub(super) struct Canvas {
    pixmap: Pixmap,
    side: f32,
    pose: Pose,
    transform: Transform,
    clip: Option<Mask>,
}

impl Canvas {
    /// An empty canvas of `side` x `side` pixels for a head in this pose.
    pub(super) fn new(side: u32, pose: Pose) -> Self {
        let pixmap = Pixmap::new(side.max(1), side.max(1)).expect("a side of at least one pixel makes a canvas");
        let mut canvas = Self { pixmap, side: side as f32, pose, transform: Transform::identity(), clip: None };
        canvas.stand_out(0.0);
        canvas
    }

    /// Draws the following shapes at `depth` in front of the outline of the head (0: the outline, 1: the eyes, 2: the
    /// nose): the larger it is, the further they move when the head turns.
    pub(super) fn stand_out(&mut self, depth: f32) {
        let Pose { tilt, scale, shift, turn } = self.pose;
        self.transform = Transform::from_scale(self.side, self.side)
            .pre_translate(MIDDLE + shift[0], 0.5 + shift[1])
            .pre_concat(Transform::from_rotate(tilt))
            .pre_scale(scale, scale)
            .pre_translate(depth * turn[0] - MIDDLE, depth * turn[1] - 0.5);
    }

    /// Fills a shape.
    pub(super) fn fill(&mut self, shape: &Shape, colour: Colour, opacity: f32) {
        self.paint(shape, colour, opacity, BlendMode::SourceOver);
    }

    /// Fills a shape where the canvas is not transparent.
    pub(super) fn fill_on(&mut self, shape: &Shape, colour: Colour, opacity: f32) {
        self.paint(shape, colour, opacity, BlendMode::SourceAtop);
    }

    /// A soft ellipse that fades out at its `radii`, where the canvas is not transparent.
    pub(super) fn shade(&mut self, centre: Position, radii: Position, colour: Colour, opacity: f32) {
        if opacity < INVISIBLE {
            return;
        }
        let fade = [(0.0, 1.0), (0.3, 0.82), (0.65, 0.28), (1.0, 0.0)];
        let stops = fade.map(|(radius, share)| GradientStop::new(radius, skia(colour, opacity * share)));
        let centre_of_unit = Point::from_xy(0.0, 0.0);
        let gradient = RadialGradient::new(
            centre_of_unit,
            centre_of_unit,
            1.0,
            stops.to_vec(),
            SpreadMode::Pad,
            Transform::identity(),
        );
        let (Some(shader), Some(square)) = (gradient, Rect::from_xywh(-1.0, -1.0, 2.0, 2.0)) else {
            return;
        };
        let transform = self.transform.pre_translate(centre[0], centre[1]).pre_scale(radii[0], radii[1]);
        let paint = Paint { shader, blend_mode: BlendMode::SourceAtop, ..Paint::default() };
        self.pixmap.fill_rect(square, &paint, transform, self.clip.as_ref());
    }

    /// A line that is `width` wide in its middle and thins out at both ends, where the canvas is not transparent.
    pub(super) fn line(&mut self, places: &[Position], width: f32, colour: Colour, opacity: f32) {
        if opacity >= INVISIBLE {
            self.fill_on(&Shape::brush_stroke(places, width), colour, opacity);
        }
    }

    /// Clips the following shapes to a shape.
    pub(super) fn clip(&mut self, shape: &Shape) {
        self.clip = shape.0.as_ref().and_then(|path| {
            let mut mask = Mask::new(self.pixmap.width(), self.pixmap.height())?;
            mask.fill_path(path, FillRule::Winding, true, self.transform);
            Some(mask)
        });
    }

    /// Ends the clipping.
    pub(super) fn unclip(&mut self) {
        self.clip = None;
    }

    /// Red, green, blue and opacity of each pixel, 0 to 1, row by row; colours are multiplied by opacity.
    pub(super) fn pixels(&self) -> impl ExactSizeIterator<Item = [f32; 4]> {
        let values = |bytes: &[u8]| [bytes[0], bytes[1], bytes[2], bytes[3]].map(|byte| f32::from(byte) / 255.0);
        self.pixmap.data().chunks_exact(4).map(values)
    }

    fn paint(&mut self, shape: &Shape, colour: Colour, opacity: f32, blend_mode: BlendMode) {
        if let Some(path) = shape.0.as_ref().filter(|_| opacity >= INVISIBLE) {
            let shader = Shader::SolidColor(skia(colour, opacity));
            let paint = Paint { shader, blend_mode, anti_alias: true, ..Paint::default() };
            self.pixmap.fill_path(path, &paint, FillRule::Winding, self.transform, self.clip.as_ref());
        }
    }
}

fn skia(Colour([red, green, blue]): Colour, opacity: f32) -> Color {
    let unit = |value: f32| value.clamp(0.0, 1.0);
    Color::from_rgba(unit(red), unit(green), unit(blue), unit(opacity)).unwrap_or(Color::TRANSPARENT)
}

/// A shape in face coordinates; one without extent is not drawn.
pub(super) struct Shape(Option<Path>);

impl Shape {
    /// A smooth closed shape through `places`.
    pub(super) fn through(places: &[Position]) -> Self {
        let mut builder = PathBuilder::new();
        add_smooth(&mut builder, places);
        Self(builder.finish())
    }

    /// Several smooth closed shapes as one.
    pub(super) fn through_each(shapes: &[Vec<Position>]) -> Self {
        let mut builder = PathBuilder::new();
        shapes.iter().for_each(|places| add_smooth(&mut builder, places));
        Self(builder.finish())
    }

    /// Circles, each by its centre and radius, as one shape.
    pub(super) fn circles(circles: &[(Position, f32)]) -> Self {
        let mut builder = PathBuilder::new();
        circles.iter().for_each(|&([x, y], radius)| builder.push_circle(x, y, radius));
        Self(builder.finish())
    }

    /// The outline of circles: `width` wide on each side.
    pub(super) fn rings(circles: &[(Position, f32)], width: f32) -> Self {
        let mut builder = PathBuilder::new();
        for &([x, y], radius) in circles {
            let ring = |radius: f32, way: f32| {
                (0..24).map(move |step| {
                    let angle = way * step as f32 * std::f32::consts::TAU / 24.0;
                    [x + radius * angle.cos(), y + 0.85 * radius * angle.sin()]
                })
            };
            add_smooth(&mut builder, &ring(radius + width, 1.0).collect::<Vec<_>>());
            add_smooth(&mut builder, &ring(radius - width, -1.0).collect::<Vec<_>>());
        }
        Self(builder.finish())
    }

    /// A stroke along a smooth line through `places`: `width` wide in its middle, pointed at both ends.
    pub(super) fn brush_stroke(places: &[Position], width: f32) -> Self {
        let line = smooth_line(places, 5);
        let last = line.len() - 1;
        let side = |way: f32| {
            let line = &line;
            (0..=last).map(move |place| {
                let [before, after] = [line[place.saturating_sub(1)], line[(place + 1).min(last)]];
                let [along, down] = [after[0] - before[0], after[1] - before[1]];
                let thickness = (std::f32::consts::PI * place as f32 / last as f32).sin().max(0.0).powf(0.7);
                let reach = way * 0.5 * width * thickness / along.hypot(down).max(1e-6);
                [line[place][0] - down * reach, line[place][1] + along * reach]
            })
        };
        let mut builder = PathBuilder::new();
        for (number, [x, y]) in side(1.0).chain(side(-1.0).rev()).enumerate() {
            if number == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
        }
        builder.close();
        Self(builder.finish())
    }
}

/// Adds a closed Catmull-Rom spline.
fn add_smooth(builder: &mut PathBuilder, places: &[Position]) {
    let count = places.len();
    let place = |index: usize| places[index % count];
    builder.move_to(places[0][0], places[0][1]);
    for index in 0..count {
        let [before, from, to, after] = [place(index + count - 1), place(index), place(index + 1), place(index + 2)];
        let control = |at: Position, next: Position, previous: Position| {
            [at[0] + (next[0] - previous[0]) / 6.0, at[1] + (next[1] - previous[1]) / 6.0]
        };
        let [first, second] = [control(from, to, before), control(to, from, after)];
        builder.cubic_to(first[0], first[1], second[0], second[1], to[0], to[1]);
    }
    builder.close();
}

/// Points on a Catmull-Rom spline through `places`, `steps` per segment.
fn smooth_line(places: &[Position], steps: usize) -> Vec<Position> {
    let last = places.len() - 1;
    let mut line = Vec::with_capacity(last * steps + 1);
    for part in 0..last {
        let [before, from, to, after] =
            [places[part.saturating_sub(1)], places[part], places[part + 1], places[(part + 2).min(last)]];
        for step in 0..steps {
            let t = step as f32 / steps as f32;
            line.push([0, 1].map(|axis| {
                let [a, b, c, d] = [before[axis], from[axis], to[axis], after[axis]];
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
            }));
        }
    }
    line.push(places[last]);
    line
}

/// The places of one side of a face and their mirror images, as one closed outline.
///
/// Places are given from the middle outwards and back to the middle: x is the distance from the middle of the face,
/// and the first and the last place lie in the middle.
pub(super) fn both_sides(half: &[Position]) -> Vec<Position> {
    let right = half.iter().map(|[x, y]| [MIDDLE + x, *y]);
    let left = half[1..half.len() - 1].iter().rev().map(|[x, y]| [MIDDLE - x, *y]);
    right.chain(left).collect()
}

/// Places on one side of the face: `side` is 1 for the right of the image, -1 for the left.
pub(super) fn on_side<const N: usize>(side: f32, half: [Position; N]) -> [Position; N] {
    half.map(|[x, y]| [MIDDLE + side * x, y])
}
