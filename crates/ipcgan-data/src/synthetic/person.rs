//! The features of a person that are the same at every age.

use rand::{Rng, RngExt};

use super::colour::Colour;

/// From light to dark.
const SKINS: [Colour; 7] = [
    Colour::hex(0xf1cdb5),
    Colour::hex(0xe8b896),
    Colour::hex(0xdca982),
    Colour::hex(0xc28a61),
    Colour::hex(0x9c6a45),
    Colour::hex(0x774b31),
    Colour::hex(0x573524),
];
const HAIRS: [Colour; 7] = [
    Colour::hex(0x14100e),
    Colour::hex(0x2b1b12),
    Colour::hex(0x4a2f1d),
    Colour::hex(0x744a28),
    Colour::hex(0x8a3b1c),
    Colour::hex(0xa87a42),
    Colour::hex(0xd2ae6e),
];
const IRISES: [Colour; 6] = [
    Colour::hex(0x2f1b10),
    Colour::hex(0x5a3619),
    Colour::hex(0x7d5f2a),
    Colour::hex(0x5d7a4a),
    Colour::hex(0x4b7fa8),
    Colour::hex(0x7d8f9c),
];
const GLASSES: [Colour; 4] =
    [Colour::hex(0x1b1b1f), Colour::hex(0x5b3a22), Colour::hex(0x8d2a2a), Colour::hex(0x9a9aa2)];

/// How the hair is worn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HairStyle {
    Short,
    Parted,
    Curly,
    Long,
    Fringe,
}

/// One person. Lengths are fractions of the width of the image.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) skin: Colour,
    pub(super) hair: Colour,
    pub(super) iris: Colour,
    pub(super) lips: Colour,
    pub(super) hair_style: HairStyle,
    pub(super) hair_volume: f32,
    pub(super) hairline: f32,
    /// Half the width of the head at the cheeks.
    pub(super) head_width: f32,
    /// Width of jaw and chin, as fractions of the width of the head.
    pub(super) jaw_width: f32,
    pub(super) chin_width: f32,
    pub(super) chin: f32,
    pub(super) ears: f32,
    pub(super) eye_width: f32,
    pub(super) eye_opening: f32,
    pub(super) eye_tilt: f32,
    /// Distance of an eye from the middle of the face.
    pub(super) eye_distance: f32,
    pub(super) eye_lid: f32,
    pub(super) brow_height: f32,
    pub(super) brow_thickness: f32,
    pub(super) brow_arch: f32,
    pub(super) brow_tilt: f32,
    pub(super) nose_width: f32,
    pub(super) nose_foot: f32,
    pub(super) nose_bridge: f32,
    pub(super) mouth_width: f32,
    pub(super) upper_lip: f32,
    pub(super) lower_lip: f32,
    /// Opacity of the beard as an adult; zero for most.
    pub(super) beard: f32,
    /// Opacity of the stubble as an adult.
    pub(super) stubble: f32,
    /// Strength of the make-up as an adult.
    pub(super) makeup: f32,
    pub(super) freckles: f32,
    /// Moles by place and radius.
    pub(super) moles: Vec<([f32; 2], f32)>,
    /// Colour and radius of the glasses, if any.
    pub(super) glasses: Option<(Colour, f32)>,
    /// Number of years by which the person looks older than average.
    pub(super) years_ahead: f32,
    /// Number of years by which the hair turns grey earlier than average.
    pub(super) grey_ahead: f32,
    /// Degree of hair loss, 0 to 1.
    pub(super) balding: f32,
    /// Seed of details such as the course of wrinkles and strands.
    pub(super) details: u64,
}

impl Person {
    /// A random person.
    pub(super) fn random(random: &mut impl Rng) -> Self {
        let build = Build::random(random);
        let Complexion { darkness, skin, hair, iris } = Complexion::random(random);
        let mut between = |from: f32, to: f32| random.random_range(from..to);
        let hair_style = match (build.has_long_hair, between(0.0, 3.0) as u32) {
            (true, 0 | 1) => HairStyle::Long,
            (_, 0) => HairStyle::Curly,
            (true, _) => HairStyle::Fringe,
            (false, 1) => HairStyle::Parted,
            (false, _) => HairStyle::Short,
        };
        let moles = (0..between(0.0, 3.0) as usize)
            .map(|_| ([between(0.20, 0.78), between(0.38, 0.85)], between(0.006, 0.011)))
            .collect();
        let glasses = (between(0.0, 1.0) < 0.14)
            .then(|| (GLASSES[between(0.0, 4.0) as usize % GLASSES.len()], between(0.115, 0.14)));
        Self {
            skin,
            hair,
            iris,
            lips: skin.mixed(Colour::hex(0xb03a48), between(0.25, 0.6)).times(0.92),
            hair_style,
            hair_volume: between(0.0, 0.05),
            hairline: between(0.035, 0.105),
            head_width: between(0.345, 0.405),
            jaw_width: build.jaw_width,
            chin_width: build.chin_width,
            chin: between(0.925, 0.995),
            ears: between(0.75, 1.2),
            eye_width: between(0.060, 0.079),
            eye_opening: between(0.026, 0.040),
            eye_tilt: between(-0.012, 0.016),
            eye_distance: between(0.177, 0.203),
            eye_lid: between(0.018, 0.034),
            brow_height: build.brow_height,
            brow_thickness: build.brow_thickness,
            brow_arch: between(0.004, 0.032),
            brow_tilt: between(-0.018, 0.018),
            nose_width: build.nose_width,
            nose_foot: between(0.505, 0.560),
            nose_bridge: between(0.018, 0.034),
            mouth_width: between(0.115, 0.160),
            upper_lip: build.upper_lip,
            lower_lip: build.lower_lip,
            beard: if build.sturdiness > 0.62 && between(0.0, 1.0) < 0.5 { between(0.2, 0.75) } else { 0.0 },
            stubble: ((build.sturdiness - 0.45) / 0.2).clamp(0.0, 1.0) * between(0.5, 1.0),
            makeup: ((0.6 - build.sturdiness) / 0.2).clamp(0.0, 1.0) * between(0.4, 1.0),
            freckles: if darkness < 0.4 && between(0.0, 1.0) < 0.25 { between(0.3, 1.0) } else { 0.0 },
            moles,
            glasses,
            years_ahead: between(-2.0, 2.0),
            grey_ahead: between(-3.0, 3.0),
            balding: build.sturdiness * between(0.2, 1.0),
            details: (f64::from(between(0.0, 1.0)) * 2f64.powi(52)) as u64,
        }
    }
}

/// Features that come together: sturdy faces have a broad jaw, strong brows and thin lips, and only they have beards.
struct Build {
    /// 0 to 1.
    sturdiness: f32,
    jaw_width: f32,
    chin_width: f32,
    brow_thickness: f32,
    brow_height: f32,
    nose_width: f32,
    upper_lip: f32,
    lower_lip: f32,
    has_long_hair: bool,
}

impl Build {
    fn random(random: &mut impl Rng) -> Self {
        let sturdiness = random.random::<f32>();
        let mut between = |from: f32, to: f32| random.random_range(from..to);
        let mut sturdier = |from: f32, to: f32, spread: f32| {
            let share = sturdiness + spread * between(-1.0, 1.0);
            from + share.clamp(0.0, 1.0) * (to - from)
        };
        Self {
            sturdiness,
            jaw_width: sturdier(0.70, 0.90, 0.5),
            chin_width: sturdier(0.20, 0.42, 0.5),
            brow_thickness: sturdier(0.013, 0.036, 0.4),
            brow_height: sturdier(0.122, 0.088, 0.5),
            nose_width: sturdier(0.058, 0.092, 0.5),
            upper_lip: sturdier(0.036, 0.017, 0.6),
            lower_lip: sturdier(0.052, 0.026, 0.6),
            has_long_hair: sturdier(1.0, 0.0, 0.5) > 0.55,
        }
    }
}

/// Colours that come together: light hair and eyes occur only with light skin; otherwise most people would look
/// artificial.
struct Complexion {
    /// Of the skin, 0 to 1.
    darkness: f32,
    skin: Colour,
    hair: Colour,
    iris: Colour,
}

impl Complexion {
    fn random(random: &mut impl Rng) -> Self {
        let mut between = |from: f32, to: f32| random.random_range(from..to);
        let darkness = between(0.0, 1.0);
        let skin = Colour::along(&SKINS, darkness).mixed(Colour::hex(0xd08a70), between(0.0, 0.22));
        let lightest = 1.0 - 0.85 * darkness;
        let hair = Colour::along(&HAIRS, lightest * between(0.0, 1.0));
        let iris = IRISES[(lightest * between(0.0, IRISES.len() as f32)) as usize % IRISES.len()];
        Self { darkness, skin, hair, iris }
    }
}
