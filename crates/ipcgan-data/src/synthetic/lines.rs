//! Wrinkles and bags under the eyes.

use rand::{Rng, RngExt};

use super::canvas::{Canvas, MIDDLE, Position, on_side};
use super::colour::{Colour, WHITE};
use super::look::Look;
use crate::random::random;

/// Draws the lines of this age, along paths that are fixed for this person.
pub(super) fn draw(canvas: &mut Canvas, look: &Look) {
    let mut random = random(look.person.details, 4, 0);
    let mut pen = Pen::new(canvas, look);
    draw_forehead(&mut pen, look, &mut random);
    for side in [-1.0, 1.0] {
        draw_around_eye(&mut pen, look, side, &mut random);
        draw_around_mouth(&mut pen, look, side, &mut random);
    }
}

/// Draws a fold: a soft shadow with a dark core and light below it.
struct Pen<'a> {
    canvas: &'a mut Canvas,
    dark: Colour,
    light: Colour,
}

impl<'a> Pen<'a> {
    fn new(canvas: &'a mut Canvas, look: &Look) -> Self {
        let skin = look.skin();
        Self { canvas, dark: skin.mixed(Colour::hex(0x3a140c), 0.5).times(0.55), light: skin.mixed(WHITE, 0.45) }
    }

    fn fold(&mut self, places: &[Position], width: f32, depth: f32) {
        if depth < 0.02 {
            return;
        }
        let below: Vec<Position> = places.iter().map(|[x, y]| [*x, y + 0.8 * width]).collect();
        self.canvas.line(&below, width, self.light, 0.45 * depth);
        self.canvas.line(places, width, self.dark, 0.55 * depth);
        self.canvas.line(places, 0.5 * width, self.dark, 0.75 * depth);
    }
}

fn draw_forehead(pen: &mut Pen, look: &Look, random: &mut impl Rng) {
    let ageing = look.ageing;
    for row in 0..3 {
        let height = 0.168 - 0.050 * row as f32 + random.random_range(-0.005..0.005);
        let [left, right] = [random.random_range(0.14..0.24), random.random_range(0.14..0.24)];
        let mut wave = || height + random.random_range(-0.006..0.006);
        let places = [
            [MIDDLE - left, wave() + 0.008],
            [MIDDLE - 0.5 * left, wave()],
            [MIDDLE, wave() + 0.006],
            [MIDDLE + 0.5 * right, wave()],
            [MIDDLE + right, wave() + 0.008],
        ];
        let depth = if row < 2 { ageing.lines } else { ageing.late_lines };
        pen.fold(&places, 0.026, (0.52 + 0.1 * look.capture.raised_brows) * depth);
    }
    for side in [-1.0, 1.0] {
        let frown =
            [[0.030, 0.185], [0.026, 0.215], [0.032, 0.252]].map(|[x, y]| [x + random.random_range(-0.005..0.005), y]);
        pen.fold(&on_side(side, frown), 0.022, 0.50 * ageing.lines);
    }
    pen.fold(&[[MIDDLE - 0.04, 0.272], [MIDDLE, 0.278], [MIDDLE + 0.04, 0.272]], 0.018, 0.50 * ageing.late_lines);
}

fn draw_around_eye(pen: &mut Pen, look: &Look, side: f32, random: &mut impl Rng) {
    let (person, ageing) = (look.person, look.ageing);
    let [eye, outer] = [person.eye_distance, person.eye_distance + person.eye_width];
    for row in 0..3 {
        let slope = 0.042 * (row as f32 - 1.0) + random.random_range(-0.006..0.006);
        let length = random.random_range(0.045..0.075);
        let foot = [
            [outer + 0.014, 0.300 + 0.35 * slope],
            [outer + 0.014 + 0.5 * length, 0.302 + 0.9 * slope],
            [outer + 0.014 + length, 0.304 + 1.7 * slope],
        ];
        let depth = 0.10 * ageing.early_lines + 0.45 * ageing.lines + 0.12 * look.capture.smile * ageing.early_lines;
        pen.fold(&on_side(side, foot), 0.018, depth);
    }
    let bag = 0.062 + 0.016 * ageing.bags;
    let place = |x: f32, y: f32| [MIDDLE + side * (eye + x), 0.30 + y];
    pen.canvas.shade(
        place(-0.008, 0.75 * bag),
        [0.100, 0.050],
        pen.dark.mixed(Colour::hex(0x6a3a4a), 0.4),
        0.55 * ageing.bags,
    );
    pen.canvas.shade(place(0.0, 0.66 * bag), [0.060, 0.020], pen.light, 0.35 * ageing.bags);
    let crescent = [place(-0.082, 0.022), place(-0.045, 0.85 * bag), place(0.015, 1.05 * bag), place(0.07, 0.75 * bag)];
    pen.fold(&crescent, 0.024, 0.45 * ageing.bags);
    let second = [place(-0.05, bag + 0.02), place(0.0, bag + 0.035), place(0.055, bag + 0.022)];
    pen.fold(&second, 0.018, 0.40 * ageing.late_lines);
}

fn draw_around_mouth(pen: &mut Pen, look: &Look, side: f32, random: &mut impl Rng) {
    let (person, ageing) = (look.person, look.ageing);
    let smile = look.capture.smile;
    let bend = random.random_range(-0.008..0.012);
    let corner = person.mouth_width * (1.0 + 0.1 * smile);
    let fold = [
        [person.nose_width + 0.012, person.nose_foot - 0.045],
        [person.nose_width + 0.050 + bend, person.nose_foot + 0.030],
        [corner + 0.034 + bend, 0.650],
        [corner + 0.036, 0.700],
    ];
    let depth = 0.65 * ageing.early_lines + 0.08 * smile;
    pen.canvas.shade([MIDDLE + side * (corner + 0.055), 0.62], [0.07, 0.10], pen.light, 0.22 * ageing.lines);
    pen.fold(&on_side(side, fold), 0.022 + 0.018 * ageing.early_lines, depth * (1.0 - ageing.youth));
    let marionette = [[corner + 0.012, 0.725], [corner + 0.022 + bend, 0.770], [corner + 0.016, 0.830]];
    pen.fold(&on_side(side, marionette), 0.026, 0.50 * ageing.late_lines + 0.15 * ageing.lines);
    for row in 0..3 {
        let x = 0.018 + 0.030 * row as f32 + random.random_range(-0.006..0.006);
        let top = 0.640 + random.random_range(-0.006..0.006);
        pen.fold(&on_side(side, [[x, top - 0.022], [x + 0.003, top + 0.008]]), 0.006, 0.45 * ageing.late_lines);
    }
    let cheek = [[0.255, 0.50], [0.285, 0.58], [0.265, 0.68]].map(|[x, y]| [x + bend, y]);
    pen.fold(&on_side(side, cheek), 0.024, 0.25 * ageing.late_lines);
}
