//! Eyes, brows and glasses.

use rand::RngExt;

use super::canvas::{Canvas, MIDDLE, Position, Shape, on_side};
use super::colour::{BLACK, Colour, WHITE};
use super::look::Look;
use crate::random::random;

/// Height of the eyes in the image.
const HEIGHT: f32 = 0.30;
const IRIS: f32 = 0.034;

/// Draws both eyes and their lids.
pub(super) fn draw(canvas: &mut Canvas, look: &Look) {
    let (person, ageing) = (look.person, look.ageing);
    let skin = look.skin();
    let white = Colour::hex(0xf4f1ee).mixed(Colour::hex(0xe2cfb8), 0.7 * ageing.late_lines);
    let almonds = [-1.0, 1.0].map(|side| almond(look, side).to_vec());
    let shape = Shape::through_each(&almonds);
    canvas.fill_on(&shape, white, 1.0);
    canvas.clip(&shape);
    for side in [-1.0, 1.0] {
        let eye = [
            MIDDLE + side * person.eye_distance + 0.010 * look.capture.gaze[0],
            HEIGHT - 0.003 + 0.006 * look.capture.gaze[1],
        ];
        let radius = IRIS * (1.0 + 0.18 * ageing.youth - 0.04 * ageing.late_lines);
        canvas.fill_on(&Shape::circles(&[(eye, radius)]), person.iris.times(0.55), 1.0);
        canvas.fill_on(&Shape::circles(&[(eye, 0.86 * radius)]), person.iris, 1.0);
        canvas.shade([eye[0], eye[1] + 0.4 * radius], [0.7 * radius; 2], person.iris.mixed(WHITE, 0.5), 0.55);
        canvas.fill_on(&Shape::circles(&[(eye, 0.44 * radius)]), BLACK, 0.95);
        let glint = [eye[0] + 0.35 * radius * look.capture.light[0].signum(), eye[1] - 0.4 * radius];
        canvas.fill_on(&Shape::circles(&[(glint, 0.2 * radius)]), WHITE, 0.9);
        canvas.shade([eye[0], HEIGHT - 0.05], [0.11, 0.045], BLACK, 0.45);
    }
    canvas.unclip();
    for side in [-1.0, 1.0] {
        draw_lids(canvas, look, side, skin);
    }
}

/// The opening of an eye: upper edge from the inner to the outer corner, then the lower edge back.
fn almond(look: &Look, side: f32) -> [Position; 8] {
    let (person, ageing) = (look.person, look.ageing);
    let width = person.eye_width * (1.0 + 0.12 * ageing.youth - 0.07 * ageing.sagging);
    let narrowed = 1.0 - 0.12 * look.capture.smile.max(0.0);
    let opening = person.eye_opening * (1.0 + 0.42 * ageing.youth - 0.30 * ageing.sagging) * narrowed;
    let droop = 0.012 * ageing.sagging - person.eye_tilt;
    let at = |x: f32, y: f32| [person.eye_distance + x * width, HEIGHT + y];
    let half = [
        at(-1.0, 0.008),
        at(-0.62, -0.55 * opening),
        at(-0.05, -opening),
        at(0.55, -0.80 * opening + 0.6 * droop),
        at(1.0, droop),
        at(0.5, 0.62 * opening + 0.4 * droop),
        at(-0.1, 0.72 * opening),
        at(-0.65, 0.45 * opening + 0.003),
    ];
    on_side(side, half)
}

fn draw_lids(canvas: &mut Canvas, look: &Look, side: f32, skin: Colour) {
    let ageing = look.ageing;
    let edge = almond(look, side);
    let lash = Colour::hex(0x1c110c).mixed(look.hair_colour(), 0.3 + 0.3 * ageing.grey);
    let makeup = look.makeup();
    let lid = edge[2][1] - 0.6 * look.person.eye_lid;
    canvas.shade([edge[2][0], lid], [0.095, 0.040], Colour::hex(0x3a2338), 0.55 * makeup);
    canvas.line(&edge[..5], 0.017 + 0.012 * makeup - 0.004 * ageing.sagging, lash, 0.92);
    canvas.line(&[edge[4], edge[5], edge[6], edge[7], edge[0]], 0.007, skin.times(0.45), 0.7);
    // The crease of the lid, which sinks with age.
    let lid = look.person.eye_lid * (1.0 - 0.45 * ageing.sagging);
    let crease = [
        [edge[0][0], edge[0][1] - 0.5 * lid],
        [edge[2][0], edge[2][1] - lid],
        [edge[4][0] + side * 0.012, edge[4][1] - 0.5 * lid + 0.012 * ageing.sagging],
    ];
    canvas.line(&crease, 0.009 + 0.006 * ageing.sagging, skin.times(0.5), 0.45 + 0.35 * ageing.sagging);
}

/// Draws both brows.
pub(super) fn draw_brows(canvas: &mut Canvas, look: &Look) {
    let (person, ageing) = (look.person, look.ageing);
    let colour = look.hair_colour().times(0.8).mixed(Colour::hex(0x241812), 0.25 * (1.0 - ageing.grey));
    let height = HEIGHT - person.brow_height - 0.010 * look.capture.raised_brows.max(0.0)
        + 0.008 * look.capture.raised_brows.min(0.0).abs()
        + 0.010 * ageing.sagging;
    let thickness = person.brow_thickness * (0.65 + 0.50 * ageing.grown - 0.15 * ageing.late_lines);
    let mut random = random(person.details, 2, 0);
    for side in [-1.0, 1.0] {
        let at = |x: f32, y: f32| [x, height + y];
        let half = [
            at(0.082, 0.014 + person.brow_tilt),
            at(0.150, -0.35 * person.brow_arch + 0.4 * person.brow_tilt),
            at(0.225, -person.brow_arch - 0.2 * person.brow_tilt),
            at(0.300, 0.016 - person.brow_tilt + 0.012 * ageing.sagging),
        ];
        let brow = on_side(side, half);
        canvas.line(&brow, thickness, colour, 0.80);
        canvas.line(&brow[..3], 0.8 * thickness, colour, 0.45);
        for _ in 0..9 {
            let along = random.random_range(0.09..0.27);
            let root = at(along, 0.5 * thickness - person.brow_arch * ((along - 0.08) / 0.15).min(1.0));
            let tip = [root[0] + 0.022, root[1] - random.random_range(0.6..1.3) * thickness];
            canvas.line(&on_side(side, [root, tip]), 0.006, colour.times(0.75), 0.6);
        }
    }
}

/// Draws glasses, if the person wears them.
pub(super) fn draw_glasses(canvas: &mut Canvas, look: &Look) {
    let Some((colour, radius)) = look.person.glasses else {
        return;
    };
    let centres = [-1.0, 1.0].map(|side| ([MIDDLE + side * look.person.eye_distance, HEIGHT + 0.012], radius));
    canvas.fill_on(&Shape::circles(&centres), WHITE, 0.07);
    canvas.fill(&Shape::rings(&centres, 0.008), colour, 0.95);
    let inner = look.person.eye_distance - radius;
    let bridge = [[MIDDLE - inner, HEIGHT], [MIDDLE, HEIGHT - 0.012], [MIDDLE + inner, HEIGHT]];
    canvas.fill(&Shape::brush_stroke(&bridge, 0.02), colour, 0.95);
    for side in [-1.0, 1.0] {
        let temple =
            [[look.person.eye_distance + radius - 0.004, HEIGHT], [look.person.head_width + 0.01, HEIGHT - 0.01]];
        canvas.fill(&Shape::brush_stroke(&on_side(side, temple), 0.02), colour, 0.95);
    }
}
