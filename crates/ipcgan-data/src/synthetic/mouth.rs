//! Mouth and beard.

use rand::RngExt;

use super::canvas::{Canvas, MIDDLE, Shape, both_sides, on_side};
use super::colour::{Colour, WHITE};
use super::look::Look;
use crate::random::random;

/// Height of the corners of the mouth in the image.
const HEIGHT: f32 = 0.70;

/// Draws lips, and teeth if the mouth is open.
pub(super) fn draw(canvas: &mut Canvas, look: &Look) {
    let (person, ageing, capture) = (look.person, look.ageing, look.capture);
    let skin = look.skin();
    let lips = person
        .lips
        .mixed(Colour::hex(0xe07078), 0.35 * ageing.youth)
        .mixed(Colour::hex(0xa0142c), 0.75 * look.makeup())
        .mixed(skin.times(0.82), 0.6 * ageing.thin_lips);
    let width = person.mouth_width * (1.0 + 0.10 * capture.smile - 0.10 * ageing.youth);
    let corner = HEIGHT - 0.013 * capture.smile + 0.012 * ageing.sagging;
    let middle = HEIGHT + 0.012 * capture.smile;
    let gap = 0.022 * capture.open;
    let [upper, lower] =
        [person.upper_lip, person.lower_lip].map(|lip| lip * (1.0 + 0.10 * ageing.youth - 0.50 * ageing.thin_lips));
    let upper_lip = [
        [0.0, middle - gap - 0.82 * upper],
        [0.22 * width, middle - gap - upper],
        [0.62 * width, middle - 0.6 * gap - 0.62 * upper],
        [width, corner],
        [0.5 * width, middle - 0.8 * gap],
        [0.0, middle - gap + 0.003],
    ];
    let lower_lip = [
        [0.0, middle + gap],
        [0.5 * width, middle + 0.8 * gap],
        [width, corner],
        [0.62 * width, middle + 0.7 * gap + 0.70 * lower],
        [0.25 * width, middle + gap + lower],
        [0.0, middle + gap + lower],
    ];
    let inside = [
        [0.0, middle - gap - 0.004],
        [0.5 * width, middle - gap - 0.002],
        [0.96 * width, corner],
        [0.5 * width, middle + gap + 0.002],
        [0.0, middle + gap + 0.004],
    ];
    canvas.shade([MIDDLE, middle + gap + lower + 0.030], [0.8 * width, 0.035], skin.times(0.5), 0.50);
    canvas.fill_on(&Shape::through(&both_sides(&inside)), Colour::hex(0x3a1412), 1.0);
    let teeth = Colour::hex(0xf2eee6).mixed(Colour::hex(0xcdb98c), 0.6 * ageing.late_lines);
    let row = [
        [0.0, middle - gap],
        [0.45 * width, middle - 0.9 * gap],
        [0.8 * width, middle - 0.3 * gap],
        [0.4 * width, middle + 0.25 * gap],
        [0.0, middle + 0.45 * gap],
    ];
    canvas.fill_on(&Shape::through(&both_sides(&row)), teeth, (3.0 * capture.open).min(1.0));
    canvas.fill_on(&Shape::through(&both_sides(&upper_lip)), lips.times(0.84), 0.95);
    canvas.fill_on(&Shape::through(&both_sides(&lower_lip)), lips, 0.95);
    canvas.shade([MIDDLE, middle + gap + 0.5 * lower], [0.5 * width, 0.4 * lower], lips.mixed(WHITE, 0.6), 0.5);
    let mut parting = on_side(-1.0, [[width + 0.008, corner - 0.002], [0.5 * width, middle - 0.8 * gap]]).to_vec();
    parting.push([MIDDLE, middle - gap + 0.002]);
    parting.extend(on_side(1.0, [[0.5 * width, middle - 0.8 * gap], [width + 0.008, corner - 0.002]]));
    canvas.line(&parting, 0.010, lips.times(0.32), 0.9 - 0.5 * capture.open);
    for side in [-1.0, 1.0] {
        canvas.shade([MIDDLE + side * (width + 0.012), corner], [0.028, 0.026], skin.times(0.45), 0.5);
    }
}

/// The shadow of a shaved beard.
fn draw_stubble(canvas: &mut Canvas, look: &Look) {
    let person = look.person;
    let opacity = 0.50 * person.stubble * look.ageing.grown;
    let colour = look.hair_colour().mixed(look.skin().times(0.45), 0.5);
    canvas.clip(&super::head::outline(look));
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [MIDDLE + side * x, y];
        canvas.shade(at(0.80 * person.head_width, 0.66), [0.13, 0.17], colour, opacity);
        canvas.shade(at(0.20, 0.80), [0.15, 0.13], colour, opacity);
        canvas.shade(at(0.06, 0.62), [0.13, 0.05], colour, opacity);
    }
    canvas.shade([MIDDLE, person.chin - 0.05], [0.22, 0.15], colour, opacity);
    canvas.unclip();
}

/// Draws the beard or the stubble of an adult.
pub(super) fn draw_beard(canvas: &mut Canvas, look: &Look) {
    draw_stubble(canvas, look);
    let person = look.person;
    let opacity = person.beard * look.ageing.grown;
    if opacity == 0.0 {
        return;
    }
    let colour = look.hair_colour().times(0.85);
    let width = person.head_width;
    let jaw = |share: f32| (person.head_width * (1.0 - 0.32 * share * share), 0.56 + share * (person.chin - 0.58));
    canvas.clip(&super::head::outline(look));
    for side in [-1.0, 1.0] {
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (x, y) = jaw(share);
            canvas.shade([MIDDLE + side * x, y], [0.11 + 0.05 * share, 0.12], colour, 0.75 * opacity);
        }
        canvas.shade([MIDDLE + side * 0.07, 0.615], [0.11, 0.045], colour, 0.85 * opacity);
        canvas.shade([MIDDLE + side * 0.16, 0.68], [0.05, 0.08], colour, 0.6 * opacity);
    }
    canvas.shade([MIDDLE, person.chin - 0.03], [0.24, 0.13], colour, 0.95 * opacity);
    let mut random = random(person.details, 3, 0);
    for _ in 0..(120.0 * opacity) as usize {
        let (reach, y) = jaw(random.random_range(0.0..1.0));
        let x = random.random_range(-1.0..1.0) * width;
        if (x.abs() > reach - 0.11 || y > person.chin - 0.15) && x.abs() < reach + 0.02 {
            let tip = [MIDDLE + x + random.random_range(-0.01..0.01), y + random.random_range(0.015..0.035)];
            canvas.line(&[[MIDDLE + x, y], tip], 0.006, colour.times(0.6), 0.45 * opacity);
        }
    }
    canvas.unclip();
}
