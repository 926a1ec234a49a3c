//! Renders an image of a person at an age under given circumstances.

use image::RgbImage;
use rand::Rng;

use super::ageing::Ageing;
use super::canvas::Canvas;
use super::capture::Capture;
use super::colour::Colour;
use super::look::Look;
use super::person::Person;
use super::{eyes, hair, head, lines, mouth, nose};
use crate::random::random;
use crate::resample;

/// Supersampling: pixels of the drawing per pixel of the image and axis.
const FINENESS: u32 = 2;

/// Fraction of a difference in brightness for which the exposure compensates, as an exponent.
const METERING: f32 = 0.6;

/// The image of `person` at `age` years, of `size` x `size` pixels.
pub(super) fn render(person: &Person, age: f32, capture: &Capture, size: u32) -> RgbImage {
    let ageing = Ageing::of(person, age);
    let look = Look { person, ageing: &ageing, capture };
    let mut canvas = Canvas::new(size * FINENESS, capture.pose);
    hair::draw_behind(&mut canvas, &look);
    head::draw(&mut canvas, &look);
    mouth::draw_beard(&mut canvas, &look);
    canvas.stand_out(1.0);
    lines::draw(&mut canvas, &look);
    mouth::draw(&mut canvas, &look);
    eyes::draw(&mut canvas, &look);
    eyes::draw_brows(&mut canvas, &look);
    canvas.stand_out(2.0);
    nose::draw(&mut canvas, &look);
    canvas.stand_out(0.0);
    hair::draw_front(&mut canvas, &look);
    canvas.stand_out(1.0);
    eyes::draw_glasses(&mut canvas, &look);

    let light = exposure(&canvas, &look);
    let pixels = blurred(&before_background(&canvas, capture, light, size), size, capture.blur);
    resample::to_image(&noisy(pixels, capture), size)
}

/// Exposure with which the head is nearly as bright as the circumstances require.
///
/// Cameras do the same. Without compensation, grey hair and pale skin would reveal the age through the mean of an
/// image; with full compensation, white hair would darken the skin.
fn exposure(canvas: &Canvas, look: &Look) -> f32 {
    let (mut sum, mut covered) = (0.0, 0.0);
    for [red, green, blue, opacity] in canvas.pixels() {
        sum += Colour([red, green, blue]).brightness();
        covered += opacity;
    }
    let person = look.person;
    let wanted = 0.66 * person.skin.brightness() + 0.10 + 0.08 * person.hair.brightness();
    look.capture.brightness * (wanted * covered / f32::max(sum, 1e-3)).powf(METERING)
}

/// The lit head in front of its background, at the size of the image, 0 to 255.
fn before_background(canvas: &Canvas, capture: &Capture, exposure: f32, size: u32) -> Vec<[f32; 3]> {
    let side = size * FINENESS;
    let (sine, cosine) = capture.background_angle.sin_cos();
    let mut pixels = vec![[0.0; 3]; (size * size) as usize];
    for (number, [red, green, blue, opacity]) in canvas.pixels().enumerate() {
        let [x, y] = [number as u32 % side, number as u32 / side];
        let place = [x, y].map(|at| 2.0 * at as f32 / side as f32 - 1.0);
        let along = 0.5 + 0.36 * (cosine * place[0] + sine * place[1]);
        let Colour(behind) = capture.background[0].mixed(capture.background[1], along);
        let light = exposure * (1.0 + capture.light[0] * place[0] + capture.light[1] * place[1]);
        let pixel = &mut pixels[(y / FINENESS * size + x / FINENESS) as usize];
        for (channel, head) in [red, green, blue].into_iter().enumerate() {
            let lit = softened(head * light * capture.tint.0[channel]).min(opacity);
            let value = lit + (1.0 - opacity) * behind[channel];
            pixel[channel] += 255.0 / (FINENESS * FINENESS) as f32 * value;
        }
    }
    pixels
}

/// Compresses highlights below 1, as film does, so that light skin keeps its shading.
fn softened(value: f32) -> f32 {
    const KNEE: f32 = 0.75;
    let above = (value - KNEE).max(0.0);
    value.min(KNEE) + (1.0 - KNEE) * above / (above + 1.0 - KNEE)
}

/// Each pixel mixed with its four neighbours.
fn blurred(pixels: &[[f32; 3]], size: u32, share: f32) -> Vec<[f32; 3]> {
    let size = size as usize;
    let last = size - 1;
    let at = |x: usize, y: usize, channel: usize| pixels[y * size + x][channel];
    (0..size * size)
        .map(|place| {
            let [x, y] = [place % size, place / size];
            [0, 1, 2].map(|channel| {
                let around = at(x.saturating_sub(1), y, channel)
                    + at((x + 1).min(last), y, channel)
                    + at(x, y.saturating_sub(1), channel)
                    + at(x, (y + 1).min(last), channel);
                (1.0 - share) * at(x, y, channel) + 0.25 * share * around
            })
        })
        .collect()
}

fn noisy(mut pixels: Vec<[f32; 3]>, capture: &Capture) -> Vec<[f32; 3]> {
    let mut random = random(capture.noise_seed, 7, 0);
    // The sum of four even numbers of 16 bits: close to normal, with this standard deviation.
    let deviation = 65_536.0 / 3f32.sqrt();
    let strength = 255.0 * capture.noise / deviation;
    for value in pixels.iter_mut().flatten() {
        let bits = random.next_u64();
        let sum: f32 = [0, 16, 32, 48].iter().map(|shift| (bits >> shift & 0xffff) as f32 - 32_767.5).sum();
        *value = (*value + strength * sum).clamp(0.0, 255.0);
    }
    pixels
}
