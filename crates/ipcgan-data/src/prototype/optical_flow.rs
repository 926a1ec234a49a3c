//! Smooth optical flow between two blurred images.

use super::plane::Plane;

/// Number of Gauss-Newton iterations, and the fraction of the step that each takes.
const ITERATIONS: usize = 40;
const STEP: f32 = 0.5;
/// Standard deviations at a side of [`REFERENCE_SIDE`]: of the blur of the images, of the window in which the flow is
/// constant, of the blur of the flow, and of the low frequencies of the residual, which are colour and not displacement.
const IMAGE_BLUR: f32 = 1.5;
const WINDOW: f32 = 7.0;
const FLOW_BLUR: f32 = 3.0;
const COLOUR: f32 = 12.0;
/// Added to the squared gradients of images with standard deviation 50, so that flat areas do not move.
const REGULARIZATION: f32 = 20.0;
/// Side of the images for which the constants were chosen.
pub(super) const REFERENCE_SIDE: f32 = 128.0;

/// Flow (x, y) in pixels after which `from` looks like `to`: `to(p) = from(p + flow(p))`.
///
/// Lucas and Kanade, "An iterative image registration technique" (1981), with Gaussian windows, as both images are
/// means of many faces and differ by a few pixels at most.
pub(super) fn optical_flow(from: &Plane, to: &Plane) -> [Plane; 2] {
    let scale = from.side as f32 / REFERENCE_SIDE;
    let [from, to] = [from, to].map(|image| standardized(&image.blurred(IMAGE_BLUR * scale)));
    let window = |product: Plane| product.blurred(WINDOW * scale);
    let mut flow = [Plane::zeros(from.side), Plane::zeros(from.side)];
    for _ in 0..ITERATIONS {
        let warped = from.warped(&flow);
        let [gx, gy] = [warped.gradient_x(), warped.gradient_y()];
        let residual = to.zip(&warped, |to, warped| to - warped);
        let residual = residual.zip(&residual.blurred(COLOUR * scale), |residual, colour| residual - colour);
        let xx = window(gx.zip(&gx, |a, b| a * b)).map(|sum| sum + REGULARIZATION);
        let yy = window(gy.zip(&gy, |a, b| a * b)).map(|sum| sum + REGULARIZATION);
        let xy = window(gx.zip(&gy, |a, b| a * b));
        let [ex, ey] = [gx, gy].map(|gradient| window(gradient.zip(&residual, |a, b| a * b)));
        let [x, y] = &mut flow;
        for index in 0..xx.values.len() {
            let [xx, yy, xy] = [&xx, &yy, &xy].map(|plane| plane.values[index]);
            let [ex, ey] = [&ex, &ey].map(|plane| plane.values[index]);
            let determinant = xx * yy - xy * xy;
            x.values[index] += STEP * (yy * ex - xy * ey) / determinant;
            y.values[index] += STEP * (xx * ey - xy * ex) / determinant;
        }
        flow = flow.map(|flow| flow.blurred(FLOW_BLUR * scale));
    }
    flow
}

/// `image` with mean 0 and standard deviation 50.
fn standardized(image: &Plane) -> Plane {
    let count = image.values.len() as f32;
    let mean = image.values.iter().sum::<f32>() / count;
    let variance = image.values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
    let factor = 50.0 / variance.sqrt().max(1e-3);
    image.map(|value| (value - mean) * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dark disc at `x`, `y` on a bright square of 64 pixels.
    fn disc(x: f32, y: f32) -> Plane {
        let value = |index: usize| {
            let distance = ((index % 64) as f32 - x).hypot((index / 64) as f32 - y);
            200.0 - 150.0 * (12.0 - distance).clamp(0.0, 1.0)
        };
        Plane::of((0..64 * 64).map(value).collect(), 64)
    }

    #[test]
    fn a_shifted_disc_is_followed() {
        let (from, to) = (disc(32.0, 32.0), disc(33.0, 31.5));

        let [x, y] = optical_flow(&from, &to);

        let centre = 32 * 64 + 32;
        assert!((x.values[centre] + 1.0).abs() < 0.3, "{}", x.values[centre]);
        assert!((y.values[centre] - 0.5).abs() < 0.3, "{}", y.values[centre]);
        let difference = |image: &Plane| image.zip(&to, |a, b| (a - b).abs()).values.iter().sum::<f32>();
        assert!(difference(&from.warped(&[x, y])) < 0.6 * difference(&from));
    }

    #[test]
    fn equal_images_do_not_move_nor_flat_ones() {
        let still = |image: Plane| {
            optical_flow(&image, &image).iter().all(|flow| flow.values.iter().all(|value| value.abs() < 1e-4))
        };

        assert!(still(disc(30.0, 30.0)));
        assert!(still(Plane::zeros(16)));
    }
}
