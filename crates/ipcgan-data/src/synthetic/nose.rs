//! The nose.

use super::canvas::{Canvas, MIDDLE, Shape, on_side};
use super::colour::{Colour, WHITE};
use super::look::Look;

/// Draws the nose.
pub(super) fn draw(canvas: &mut Canvas, look: &Look) {
    let (person, ageing) = (look.person, look.ageing);
    let skin = look.skin();
    let shadow = skin.mixed(Colour::hex(0x401812), 0.35).times(0.55);
    let foot = person.nose_foot - 0.012 * ageing.youth + 0.012 * ageing.sagging;
    let width = person.nose_width * (0.94 + 0.06 * (1.0 - ageing.youth) + 0.07 * ageing.sagging);
    canvas.shade([MIDDLE, foot + 0.018], [1.25 * width, 0.035], shadow, 0.55);
    canvas.shade([MIDDLE, (foot + 0.25) / 2.0], [1.3 * person.nose_bridge, 0.17], skin.mixed(WHITE, 0.6), 0.45);
    canvas.shade([MIDDLE, foot - 0.045], [0.6 * width, 0.045], skin.mixed(WHITE, 0.6), 0.50);
    for side in [-1.0, 1.0] {
        let flank = [
            [0.055, 0.25],
            [person.nose_bridge + 0.006, 0.34],
            [person.nose_bridge + 0.015, foot - 0.10],
            [0.86 * width, foot - 0.045],
        ];
        canvas.line(&on_side(side, flank), 0.034, shadow, 0.13);
        canvas.line(&on_side(side, flank), 0.018, shadow, 0.13);
        let wing = [
            [0.80 * width, foot - 0.062],
            [1.02 * width, foot - 0.030],
            [0.92 * width, foot - 0.002],
            [0.60 * width, foot - 0.004],
        ];
        canvas.line(&on_side(side, wing), 0.011, shadow.times(0.8), 0.70);
        let nostril = [
            [0.20 * width, foot],
            [0.45 * width, foot - 0.014],
            [0.72 * width, foot - 0.002],
            [0.45 * width, foot + 0.005],
        ];
        canvas.fill_on(&Shape::through(&on_side(side, nostril)), shadow.times(0.35), 0.85);
    }
    canvas.line(
        &[[MIDDLE - 0.25 * width, foot + 0.004], [MIDDLE, foot + 0.013], [MIDDLE + 0.25 * width, foot + 0.004]],
        0.009,
        shadow,
        0.6,
    );
}
