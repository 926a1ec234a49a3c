//! Suffixes of the names of results: what is in the file.

use super::output_format::OutputFormat;
use super::selection::Age;
use super::video::Container;

/// Maximum length, in bytes, of the ages in the name of a contact sheet.
const MAX_STRIP_AGES: usize = 60;
/// Suffix of an animation.
pub(crate) const ANIMATION_SUFFIX: &str = ".gif";

/// Suffixes of the names of a photo's results.
#[derive(Debug)]
pub(crate) struct Suffixes {
    /// All suffixes, without the number of the face.
    pub(super) all: Vec<String>,
    /// Suffix of the contact sheet.
    pub(crate) strip: String,
}

impl Suffixes {
    /// Suffixes of results at `ages` in `format`.
    pub(crate) fn new(ages: &[Age], groups: &[String], format: OutputFormat) -> Self {
        let names: Vec<&str> = ages.iter().map(|age| age.name.as_str()).collect();
        let strip = match names == groups {
            true => "-strip.png".into(),
            false => format!("-{}-strip.png", strip_ages(&names)),
        };
        let mut all = vec![strip.clone(), ANIMATION_SUFFIX.into()];
        for format in format.possible() {
            all.extend(names.iter().map(|age| Self::image(age, format)));
        }
        Self { all, strip }
    }

    /// Adds the suffixes of clips at `ages` in `containers`.
    pub(crate) fn with_clips(mut self, ages: &[Age], containers: impl IntoIterator<Item = Container>) -> Self {
        for container in containers {
            let end = container.extension();
            self.all.extend(ages.iter().flat_map(|age| [Self::image(&age.name, end), Self::partial(&age.name, end)]));
        }
        self
    }

    /// Suffix of an interrupted clip at an age.
    pub(crate) fn partial(age: &str, extension: &str) -> String {
        format!("-{age}-partial.{extension}")
    }

    /// Suffix of the photo, a face or a clip at an age.
    pub(crate) fn image(age: &str, format: impl std::fmt::Display) -> String {
        format!("-{age}.{format}")
    }
}

/// Ages in the name of a contact sheet without all groups, so that it does not replace one of other ages.
fn strip_ages(names: &[&str]) -> String {
    let all = names.join("_");
    match (names.first(), names.last()) {
        (Some(first), Some(last)) if all.len() > MAX_STRIP_AGES => {
            format!("{first}_to_{last}_{:08x}", crc32c::crc32c(all.as_bytes()))
        }
        _ => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [&str; 2] = ["21-30", "51+"];

    #[test]
    fn a_strip_of_other_ages_is_another_file() {
        let ages = |names: &[&str]| names.iter().map(|name| Age::named(name)).collect::<Vec<_>>();
        let strip = |names: &[&str]| Suffixes::new(&ages(names), &GROUPS.map(String::from), OutputFormat::Same).strip;

        assert_eq!(strip(&GROUPS), "-strip.png");
        assert_eq!(strip(&["35", "45"]), "-35_45-strip.png");
        let years: Vec<String> = (20..90).map(|age| age.to_string()).collect();
        let years: Vec<&str> = years.iter().map(String::as_str).collect();
        assert!(strip(&years).starts_with("-20_to_89_") && strip(&years).len() < 40, "{}", strip(&years));
    }
}
