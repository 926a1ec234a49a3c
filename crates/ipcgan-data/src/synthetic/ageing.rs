//! What age changes in a face.

use super::person::Person;

/// Signs of age, each 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ageing {
    /// Round cheeks, large eyes, smooth skin: fades until 25.
    pub(super) youth: f32,
    /// Blemished skin between 12 and 20.
    pub(super) blemishes: f32,
    /// A beard needs a grown-up.
    pub(super) grown: f32,
    /// Lines from nose to mouth and around the eyes, the first ones to come.
    pub(super) early_lines: f32,
    /// Lines on the forehead and between the brows.
    pub(super) lines: f32,
    /// Lines everywhere, rough skin.
    pub(super) late_lines: f32,
    /// Bags under the eyes.
    pub(super) bags: f32,
    /// Sagging lids and jaw.
    pub(super) sagging: f32,
    /// Spots on the skin.
    pub(super) blotches: f32,
    /// Grey hair and brows.
    pub(super) grey: f32,
    /// Receding and thinner hair.
    pub(super) hair_loss: f32,
    /// Thinner and paler lips.
    pub(super) thin_lips: f32,
}

impl Ageing {
    /// Signs of age of `person` at `age` years.
    pub(super) fn of(person: &Person, age: f32) -> Self {
        // A person ahead by some years is so as a grown-up, not as a child.
        let age = age + person.years_ahead * rise(age, 20.0, 40.0);
        Self {
            youth: 1.0 - rise(age, 12.0, 25.0),
            blemishes: rise(age, 11.0, 14.0) * (1.0 - rise(age, 18.0, 22.0)),
            grown: rise(age, 17.0, 23.0),
            early_lines: rise(age, 24.0, 43.0),
            lines: rise(age, 32.0, 55.0),
            late_lines: rise(age, 44.0, 68.0),
            bags: rise(age, 30.0, 58.0),
            sagging: rise(age, 38.0, 68.0),
            blotches: rise(age, 44.0, 70.0),
            grey: rise(age + person.grey_ahead, 36.0, 60.0),
            hair_loss: rise(age, 28.0, 64.0) * (0.25 + 0.75 * person.balding),
            thin_lips: rise(age, 34.0, 68.0),
        }
    }
}

/// Rises smoothly from 0 at `start` to 1 at `end`.
fn rise(age: f32, start: f32, end: f32) -> f32 {
    let fraction = ((age - start) / (end - start)).clamp(0.0, 1.0);
    fraction * fraction * (3.0 - 2.0 * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random;

    #[test]
    fn signs_of_age_only_come_and_signs_of_youth_only_go() {
        let person = Person::random(&mut random(1, 0, 0));
        let signs: Vec<_> = (11..90).map(|age| Ageing::of(&person, age as f32)).collect();

        for years in signs.windows(2) {
            let [before, after] = [years[0], years[1]];
            assert!(after.youth <= before.youth);
            assert!(after.lines >= before.lines && after.grey >= before.grey && after.hair_loss >= before.hair_loss);
        }
    }
}
