//! Hair of the head.

use rand::RngExt;

use super::canvas::{Canvas, MIDDLE, Position, Shape, both_sides};
use super::colour::Colour;
use super::look::Look;
use super::person::HairStyle;
use crate::random::random;

/// Height of the top of the hair, above the image.
const TOP: f32 = -0.12;

/// Draws the hair behind the head.
pub(super) fn draw_behind(canvas: &mut Canvas, look: &Look) {
    let person = look.person;
    let reach = person.head_width + 0.025 + person.hair_volume;
    let foot = match person.hair_style {
        HairStyle::Long => 0.86,
        HairStyle::Fringe => 0.66,
        HairStyle::Curly => 0.42,
        HairStyle::Short | HairStyle::Parted => return,
    };
    let half = [
        [0.0, TOP],
        [0.7 * reach, TOP + 0.05],
        [reach, 0.14],
        [reach + 0.01, 0.40],
        [reach - 0.005, 0.85 * foot],
        [0.72 * reach, foot],
        [0.0, foot - 0.02],
    ];
    let hair = Shape::through(&both_sides(&half));
    canvas.fill(&hair, look.hair_colour().times(0.72), 1.0);
    draw_grey_temples(canvas, look, &hair, [reach, 0.45]);
}

/// Draws grey hair at the temples, which turn grey first.
fn draw_grey_temples(canvas: &mut Canvas, look: &Look, hair: &Shape, [x, y]: Position) {
    let opacity = look.ageing.grey_temples * (1.0 - 0.8 * look.ageing.grey);
    canvas.clip(hair);
    for side in [-1.0, 1.0] {
        canvas.shade([MIDDLE + side * x, y], [0.18, 0.34], Colour::hex(0xb4b4b8), opacity);
    }
    canvas.unclip();
}

/// Draws the hair above the face.
pub(super) fn draw_front(canvas: &mut Canvas, look: &Look) {
    let (person, ageing) = (look.person, look.ageing);
    let colour = look.hair_colour();
    let line = hairline(look);
    let reach = person.head_width + 0.012 + 0.6 * person.hair_volume;
    let side = if person.hair_style == HairStyle::Short { 0.30 } else { 0.36 };
    let mut half = vec![
        [0.0, TOP],
        [0.7 * reach, TOP + 0.04],
        [reach, 0.10],
        [reach + 0.004, side - 0.06],
        [person.head_width, side],
    ];
    half.extend(line.iter().rev());
    let opacity = 1.0 - 0.30 * ageing.hair_loss * person.balding;
    let cap = Shape::through(&both_sides(&half));
    canvas.fill(&cap, colour, opacity);
    if person.hair_style == HairStyle::Curly {
        canvas.fill(&Shape::circles(&curls(look, &line, reach)), colour, 0.9 * opacity);
    }
    draw_strands(canvas, look, &line, reach, colour);
    draw_grey_temples(canvas, look, &cap, [reach, 0.22]);
}

/// The hairline, from its middle to the temple.
fn hairline(look: &Look) -> Vec<Position> {
    let (person, loss) = (look.person, look.ageing.hair_loss);
    let low = 0.045 * look.ageing.youth;
    let width = person.head_width;
    let height = person.hairline + low - 0.110 * loss;
    let temple = 0.110 * loss;
    match person.hair_style {
        HairStyle::Fringe => {
            let height = height + 0.060;
            vec![[0.0, height], [0.45 * width, height + 0.012], [0.78 * width, height + 0.03], [0.93 * width, 0.27]]
        }
        HairStyle::Long => vec![
            [0.0, height - 0.02],
            [0.40 * width, height + 0.012 - 0.5 * temple],
            [0.76 * width, height + 0.085 - 0.5 * temple],
            [0.95 * width, 0.30],
        ],
        HairStyle::Short | HairStyle::Parted | HairStyle::Curly => vec![
            [0.0, height],
            [0.42 * width, height + 0.002 - temple],
            [0.74 * width, height + 0.030 - 1.2 * temple],
            [0.88 * width, 0.165 - 0.3 * temple],
            [0.965 * width, 0.275],
        ],
    }
}

fn curls(look: &Look, line: &[Position], reach: f32) -> Vec<(Position, f32)> {
    let mut random = random(look.person.details, 5, 0);
    let rim = [[reach, 0.08], [reach + 0.012, 0.17], [reach + 0.012, 0.26], [0.85 * reach, 0.0]];
    let mut curls = Vec::new();
    for [x, y] in line.iter().chain(&rim).copied().chain([[0.2, line[0][1]], [0.10, line[0][1]]]) {
        for side in [-1.0, 1.0] {
            let place =
                [MIDDLE + side * x + random.random_range(-0.01..0.01), y - 0.012 + random.random_range(-0.012..0.012)];
            curls.push((place, random.random_range(0.022..0.036)));
        }
    }
    curls
}

/// Lighter and darker strands from the top of the head to the hairline; grey ones first at the temples.
fn draw_strands(canvas: &mut Canvas, look: &Look, line: &[Position], reach: f32, colour: Colour) {
    let person = look.person;
    let mut random = random(person.details, 6, 0);
    let parting = if person.hair_style == HairStyle::Parted { 0.14 } else { 0.0 };
    let count = (64.0 * (1.0 - 0.35 * look.ageing.hair_loss)) as usize;
    for strand in 0..count {
        let share = 2.0 * (strand as f32 + random.random::<f32>()) / count as f32 - 1.0;
        let x = share * reach;
        let edge = edge_at(line, x.abs()) + random.random_range(-0.012..0.018);
        let start = [MIDDLE + parting + 0.45 * (x - parting), TOP];
        let bend = [MIDDLE + 0.92 * x + 0.3 * parting * (1.0 - share.abs()), (TOP + edge) / 2.0 - 0.01];
        let end = [MIDDLE + x, edge];
        let light = if random.random::<bool>() { 1.45 } else { 0.6 };
        let white = look.ageing.grey * random.random_range(0.0..0.6) + 0.5 * (look.ageing.grey * share.abs());
        let shade = colour.times(light).mixed(Colour::hex(0xd9d9dc), white.min(0.8));
        canvas.fill(&Shape::brush_stroke(&[start, bend, end], 0.013), shade, 0.42);
    }
}

/// Height of the hairline at a distance from the middle of the face.
fn edge_at(line: &[Position], x: f32) -> f32 {
    let after = line.iter().position(|place| place[0] > x).unwrap_or(line.len());
    match (after.checked_sub(1).map(|before| line[before]), line.get(after)) {
        (Some(from), Some(to)) => from[1] + (to[1] - from[1]) * (x - from[0]) / (to[0] - from[0]),
        (Some(from), None) => from[1],
        (None, _) => line[0][1],
    }
}
