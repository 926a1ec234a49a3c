//! Signs of age in a face.

use super::person::Person;

/// Signs of age, each 0 to 1.
///
/// Each begins at a fixed age and changes mostly around one of the group boundaries 20, 30, 40 and 50, so that
/// adjacent age groups differ clearly, even at 64 pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ageing {
    /// Round and short face, large eyes, blush, low hairline, lighter hair: fades until 24.
    pub(super) youth: f32,
    /// Blemished skin between 12 and 20.
    pub(super) blemishes: f32,
    /// Beard, stubble and full brows, from 18 on.
    pub(super) grown: f32,
    /// Make-up, from 18 on; fades after 29.
    pub(super) makeup: f32,
    /// Folds from nose to mouth, hollow cheeks and lines around the eyes, from 28 on.
    pub(super) early_lines: f32,
    /// Folds on the forehead and between the brows, from 38 on.
    pub(super) lines: f32,
    /// Folds everywhere, rough skin, from 47 on.
    pub(super) late_lines: f32,
    /// Tanned skin from 28 on, which fades after 38.
    pub(super) tan: f32,
    /// Pale and grey skin, from 38 on.
    pub(super) pallor: f32,
    /// Bags and shadows under the eyes, from 28 on.
    pub(super) bags: f32,
    /// Sagging lids and jaw, from 38 on.
    pub(super) sagging: f32,
    /// Spots on the skin, from 46 on.
    pub(super) blotches: f32,
    /// Grey temples, from 28 on.
    pub(super) grey_temples: f32,
    /// Grey hair and brows: salt and pepper from 38 on, white from 50 on.
    pub(super) grey: f32,
    /// Receding and thinner hair, from 28 on.
    pub(super) hair_loss: f32,
    /// Thinner and paler lips, from 38 on.
    pub(super) thin_lips: f32,
}

impl Ageing {
    /// Signs of age of `person` at `age` years.
    pub(super) fn of(person: &Person, age: f32) -> Self {
        // Looking older or younger than one's age applies to adults, not to children.
        let age = age + person.years_ahead * rise(age, 20.0, 40.0);
        let grey_age = age + person.grey_ahead;
        Self {
            youth: 1.0 - rise(age, 17.0, 24.0),
            blemishes: rise(age, 11.0, 14.0) * (1.0 - rise(age, 18.0, 22.0)),
            grown: rise(age, 18.0, 23.0),
            makeup: rise(age, 18.0, 23.0) * (1.0 - 0.7 * rise(age, 29.0, 35.0)),
            early_lines: 0.6 * rise(age, 28.0, 34.0) + 0.4 * rise(age, 38.0, 48.0),
            lines: rise(age, 38.0, 46.0),
            late_lines: rise(age, 47.0, 60.0),
            tan: rise(age, 28.0, 34.0) * (1.0 - rise(age, 38.0, 48.0)),
            pallor: 0.2 * rise(age, 38.0, 46.0) + 0.8 * rise(age, 47.0, 56.0),
            bags: 0.65 * rise(age, 28.0, 34.0) + 0.35 * rise(age, 40.0, 58.0),
            sagging: 0.3 * rise(age, 38.0, 46.0) + 0.7 * rise(age, 47.0, 62.0),
            blotches: rise(age, 46.0, 58.0),
            grey_temples: rise(grey_age, 28.0, 35.0),
            grey: 0.5 * rise(grey_age, 37.0, 44.0) + 0.5 * rise(grey_age, 46.0, 55.0),
            hair_loss: (0.3 * rise(age, 28.0, 36.0) + 0.3 * rise(age, 38.0, 46.0) + 0.4 * rise(age, 47.0, 62.0))
                * (0.4 + 0.6 * person.balding),
            thin_lips: 0.4 * rise(age, 38.0, 46.0) + 0.6 * rise(age, 47.0, 64.0),
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
    fn signs_of_age_never_decrease_and_signs_of_youth_never_increase() {
        let person = Person::random(&mut random(1, 0, 0));
        let signs: Vec<_> = (11..90).map(|age| Ageing::of(&person, age as f32)).collect();

        for years in signs.windows(2) {
            let [before, after] = [years[0], years[1]];
            assert!(after.youth <= before.youth);
            assert!(after.lines >= before.lines && after.grey >= before.grey && after.hair_loss >= before.hair_loss);
        }
    }

    #[test]
    fn each_age_group_has_signs_that_the_group_before_it_lacks() {
        for identity in 0..50 {
            let person = Person::random(&mut random(1, 0, identity));
            let [teens, twenties, thirties, forties, old] =
                [15.5, 25.5, 35.5, 45.5, 60.0].map(|age| Ageing::of(&person, age));

            assert!(teens.youth > 0.9 && twenties.youth < 0.1 && teens.grown < 0.1 && twenties.grown > 0.9);
            assert!(twenties.bags < 0.1 && thirties.bags > 0.4 && twenties.early_lines < 0.1);
            assert!(thirties.grey_temples > twenties.grey_temples + 0.3 && thirties.early_lines > 0.4);
            assert!(thirties.lines < 0.1 && forties.lines > 0.7 && forties.grey > thirties.grey + 0.2);
            assert!(forties.late_lines < 0.1 && old.late_lines > 0.8 && old.grey > 0.9 && old.blotches > 0.9);
        }
    }
}
