//! Neck, ears and the skin of the face.

use rand::RngExt;

use super::canvas::{Canvas, MIDDLE, Position, Shape, both_sides, on_side};
use super::colour::{Colour, WHITE};
use super::look::Look;
use crate::random::random;

/// Top of the skull, above the image.
const CROWN: f32 = -0.09;

/// Draws clothes, neck, ears and the bare face.
pub(super) fn draw(canvas: &mut Canvas, look: &Look) {
    let skin = look.skin();
    draw_neck(canvas, look, skin);
    draw_ears(canvas, look, skin);
    canvas.fill(&outline(look), skin, 1.0);
    draw_shape(canvas, look, skin);
    draw_marks(canvas, look, skin);
}

/// The outline of the head.
pub(super) fn outline(look: &Look) -> Shape {
    let (person, ageing) = (look.person, look.ageing);
    let width = person.head_width;
    let chin = person.chin - 0.055 * ageing.youth + 0.010 * ageing.sagging;
    let cheek = width * (0.965 + 0.05 * ageing.youth - 0.02 * ageing.late_lines);
    let jaw = width * (person.jaw_width - 0.03 * ageing.youth + 0.085 * ageing.sagging);
    let chin_width = width * (person.chin_width + 0.03 * ageing.youth);
    let half = [
        [0.0, CROWN],
        [0.55 * width, CROWN + 0.035],
        [0.90 * width, 0.08],
        [width, 0.26],
        [cheek, 0.46],
        [(cheek + jaw) / 2.0 + 0.012 + 0.012 * ageing.youth, 0.62],
        [jaw, 0.745 - 0.015 * ageing.youth + 0.02 * ageing.sagging],
        [(jaw + chin_width) / 2.0, chin - 0.085],
        [chin_width, chin - 0.018],
        [0.0, chin],
    ];
    Shape::through(&both_sides(&half))
}

fn draw_neck(canvas: &mut Canvas, look: &Look, skin: Colour) {
    let neck = look.person.jaw_width * look.person.head_width * 0.78;
    let chin = look.person.chin;
    let shoulders = [[0.0, chin + 0.03], [neck, chin + 0.02], [0.4, chin + 0.09], [0.6, 1.3], [0.0, 1.3]];
    canvas.fill(&Shape::through(&both_sides(&shoulders)), look.capture.clothes, 1.0);
    let column = [[0.0, 0.6], [neck, 0.7], [neck, chin + 0.03], [0.6 * neck, chin + 0.10], [0.0, chin + 0.13]];
    canvas.fill(&Shape::through(&both_sides(&column)), skin.times(0.72), 1.0);
}

fn draw_ears(canvas: &mut Canvas, look: &Look, skin: Colour) {
    let reach = look.person.head_width;
    let size = look.person.ears * (1.0 + 0.12 * look.ageing.late_lines);
    for side in [-1.0, 1.0] {
        let ear = [
            [reach - 0.02, 0.28],
            [reach + 0.032 * size, 0.265],
            [reach + 0.048 * size, 0.34],
            [reach + 0.026 * size, 0.40 + 0.07 * size],
            [reach - 0.025, 0.42 + 0.06 * size],
        ];
        canvas.fill(&Shape::through(&on_side(side, ear)), skin.mixed(Colour::hex(0xb05545), 0.12).times(0.9), 1.0);
        let fold = [[reach + 0.005, 0.29], [reach + 0.032 * size, 0.34], [reach + 0.01, 0.43]];
        canvas.line(&on_side(side, fold), 0.012, skin.times(0.62), 0.6);
    }
}

/// The roundness of the face, and how age changes it.
fn draw_shape(canvas: &mut Canvas, look: &Look, skin: Colour) {
    let (person, ageing) = (look.person, look.ageing);
    let shadow = skin.mixed(Colour::hex(0x401812), 0.35).times(0.62);
    let light = skin.mixed(WHITE, 0.45);
    let width = person.head_width;
    canvas.shade([MIDDLE, 0.13], [0.30, 0.15], light, 0.34);
    canvas.shade([MIDDLE, person.chin + 0.02], [0.30, 0.13], shadow, 0.50);
    canvas.shade([MIDDLE, person.chin - 0.075], [0.08, 0.05], light, 0.30);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [MIDDLE + side * x, y];
        canvas.shade(at(width + 0.02, 0.45), [0.20, 0.56], shadow, 0.52);
        canvas.shade(at(width * 0.93, 0.80), [0.16, 0.26], shadow, 0.42);
        canvas.shade(at(0.20, 0.45), [0.13, 0.09], light, 0.30 + 0.12 * ageing.youth);
        canvas.shade(at(0.22, 0.50), [0.17, 0.13], Colour::hex(0xe0453c), 0.04 + 0.48 * ageing.youth);
        let hollow = 0.10 + 0.30 * ageing.early_lines + 0.20 * ageing.sagging - 0.10 * ageing.youth;
        canvas.shade(at(0.26, 0.60), [0.10, 0.16], shadow, hollow);
        canvas.shade(at(0.075, 0.285), [0.07, 0.09], shadow, 0.30 + 0.14 * ageing.late_lines);
        canvas.shade(at(person.eye_distance, 0.275), [0.13, 0.075], shadow, 0.22 + 0.22 * ageing.sagging);
        // The jowl hangs beside the chin.
        canvas.shade(at(0.205, 0.83), [0.085, 0.08], light, 0.30 * ageing.sagging);
        canvas.shade(at(0.145, 0.865), [0.065, 0.090], shadow, 0.55 * ageing.sagging);
    }
}

/// Moles, freckles, blemishes and age spots, each at a position that is fixed for this person.
fn draw_marks(canvas: &mut Canvas, look: &Look, skin: Colour) {
    let (person, ageing) = (look.person, look.ageing);
    canvas.fill_on(&Shape::circles(&person.moles), skin.times(0.32), 0.9);
    let mut random = random(person.details, 1, 0);
    let mut between = |from: f32, to: f32| random.random_range(from..to);
    let mut scattered = |count: usize, size: [f32; 2], [left, top, right, bottom]: [f32; 4]| {
        (0..count)
            .map(|_| ([between(left, right), between(top, bottom)], between(size[0], size[1])))
            .collect::<Vec<_>>()
    };
    let freckles: Vec<(Position, f32)> = scattered(34, [0.004, 0.008], [0.19, 0.36, 0.79, 0.53]);
    let blemishes = scattered(9, [0.009, 0.017], [0.17, 0.08, 0.81, 0.88]);
    let blotches = scattered(20, [0.024, 0.052], [0.12, 0.05, 0.86, 0.88]);
    let rough = scattered(42, [0.012, 0.028], [0.13, 0.04, 0.85, 0.93]);
    canvas.fill_on(&Shape::circles(&freckles), skin.mixed(Colour::hex(0x7a3b1a), 0.7), 0.6 * person.freckles);
    for (place, radius) in blemishes {
        canvas.shade(place, [radius; 2], Colour::hex(0xb8302c), 0.75 * ageing.blemishes);
    }
    for (number, (place, radius)) in blotches.into_iter().enumerate() {
        let colour = if number % 3 == 0 { Colour::hex(0xa05a46) } else { skin.mixed(Colour::hex(0x4a2a14), 0.55) };
        canvas.shade(place, [radius, 0.8 * radius], colour, 0.60 * ageing.blotches);
    }
    for (number, (place, radius)) in rough.into_iter().enumerate() {
        let colour = if number % 2 == 0 { skin.times(0.6) } else { skin.mixed(WHITE, 0.4) };
        canvas.shade(place, [radius; 2], colour, 0.26 * ageing.late_lines);
    }
}
