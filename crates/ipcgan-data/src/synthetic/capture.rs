//! What differs between two images of one person at one age; it must not depend on either.

use rand::{Rng, RngExt};

use super::colour::Colour;

/// How the head is held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    /// Degrees clockwise.
    pub(super) tilt: f32,
    pub(super) scale: f32,
    /// To the right and down.
    pub(super) shift: [f32; 2],
    /// Shift of the eyes when the head turns: to the right and down.
    pub(super) turn: [f32; 2],
}

/// The circumstances of one image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capture {
    pub(super) pose: Pose,
    /// How far the corners of the mouth are raised; negative if they droop.
    pub(super) smile: f32,
    /// How far the mouth is open.
    pub(super) open: f32,
    /// How far the brows are raised.
    pub(super) raised_brows: f32,
    /// Direction of gaze: to the right and down.
    pub(super) gaze: [f32; 2],
    /// Colours of the background at both ends of its gradient.
    pub(super) background: [Colour; 2],
    /// Direction of that gradient, in radians.
    pub(super) background_angle: f32,
    /// Colour of the clothes.
    pub(super) clothes: Colour,
    /// How bright the face is, as a fraction of its own brightness.
    pub(super) brightness: f32,
    /// Direction of the light: how much brighter the right and the lower side are.
    pub(super) light: [f32; 2],
    /// Colour of the light.
    pub(super) tint: Colour,
    /// Noise of the sensor: standard deviation on a scale of 0 to 1.
    pub(super) noise: f32,
    /// Seed of the noise.
    pub(super) noise_seed: u64,
    /// Blur: fraction of a pixel's value that comes from its neighbours.
    pub(super) blur: f32,
}

impl Capture {
    /// Random circumstances.
    pub(super) fn random(random: &mut impl Rng) -> Self {
        let mut between = |from: f32, to: f32| random.random_range(from..to);
        let mut colour = |from: f32, to: f32| Colour([0, 1, 2].map(|_| between(from, to)));
        let background = [colour(0.08, 0.92), colour(0.08, 0.92)];
        let clothes = colour(0.05, 0.9);
        let tint = colour(0.96, 1.04);
        Self {
            pose: Pose {
                tilt: between(-4.0, 4.0),
                scale: between(0.97, 1.03),
                shift: [between(-0.015, 0.015), between(-0.015, 0.015)],
                turn: [between(-0.016, 0.016), between(-0.010, 0.010)],
            },
            smile: between(-0.4, 1.0),
            open: between(-0.6, 1.0).max(0.0),
            raised_brows: between(-0.5, 1.0),
            gaze: [between(-1.0, 1.0), between(-0.5, 0.5)],
            background,
            background_angle: between(0.0, std::f32::consts::TAU),
            clothes,
            brightness: between(0.84, 1.12),
            light: [between(-0.28, 0.28), between(-0.18, 0.08)],
            tint,
            noise: between(0.0, 0.018),
            noise_seed: (f64::from(between(0.0, 1.0)) * 2f64.powi(52)) as u64,
            blur: between(0.0, 0.35),
        }
    }
}
