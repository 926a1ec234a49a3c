//! The appearance of a head: a person at an age under given circumstances.

use super::ageing::Ageing;
use super::capture::Capture;
use super::colour::Colour;
use super::person::Person;

/// Everything that determines the appearance of a head.
pub(super) struct Look<'a> {
    pub(super) person: &'a Person,
    pub(super) ageing: &'a Ageing,
    pub(super) capture: &'a Capture,
}

impl Look<'_> {
    /// The colour of the skin, which becomes tanned, then pale and grey.
    pub(super) fn skin(&self) -> Colour {
        let skin = self.person.skin;
        let pale = Colour([skin.brightness() * 1.02, skin.brightness() * 0.97, skin.brightness() * 0.88]);
        skin.mixed(Colour::hex(0xf0a58c), 0.16 * self.ageing.youth)
            .mixed(Colour::hex(0x8c5634), 0.28 * self.ageing.tan)
            .mixed(pale, 0.50 * self.ageing.pallor)
    }

    /// Strength of the make-up at this age.
    pub(super) fn makeup(&self) -> f32 {
        self.person.makeup * self.ageing.makeup
    }

    /// The colour of the hair, which darkens until 24, then turns grey and white.
    pub(super) fn hair_colour(&self) -> Colour {
        let white = (2.0 * self.ageing.grey - 1.0).max(0.0);
        let grey = Colour::hex(0x96969a).mixed(Colour::hex(0xd8d8dc), white);
        self.person
            .hair
            .mixed(Colour::hex(0xc08a44), 0.45 * self.ageing.youth)
            .mixed(grey, (1.4 * self.ageing.grey).min(0.95))
    }
}
