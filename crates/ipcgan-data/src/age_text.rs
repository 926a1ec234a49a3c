//! Parsing of ages in tables and folder names.

use std::fmt;

use crate::calendar::Date;
use crate::excluded::{Cause, Fault};

/// Oldest plausible age of a label, in years: the oldest person on record died at 122. Targets of the generator have a
/// lower limit, [`AgeBlend::MAX_TARGET_AGE`](ipcgan_model::AgeBlend::MAX_TARGET_AGE).
pub(crate) const MAX_LABEL_AGE: u32 = 125;

/// Prefixes of the names of months in the languages of spreadsheets (English, German, French, Spanish, Italian, Portuguese).
const MONTHS: [&[&str]; 12] = [
    &["jan", "jän", "ene", "gen"],
    &["feb", "fev", "fév"],
    &["mar", "mär", "mrz", "mrt"],
    &["apr", "avr", "abr"],
    &["may", "mai", "mag", "mei"],
    &["jun", "juin", "giu"],
    &["jul", "juil", "lug"],
    &["aug", "aoû", "aou", "ago"],
    &["sep", "set"],
    &["oct", "okt", "out", "ott"],
    &["nov"],
    &["dec", "dez", "déc", "dic"],
];

/// A range of ages in full years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AgeRange {
    pub(crate) first: u32,
    pub(crate) last: u32,
    /// Whether it has no last age, as `70+`.
    pub(crate) open: bool,
}

impl AgeRange {
    fn exact(age: u32) -> Self {
        Self { first: age, last: age, open: false }
    }

    /// The age that stands for the range: the middle of a range, the start of an open one.
    pub(crate) fn middle(self) -> u32 {
        if self.open { self.first } else { (self.first + self.last) / 2 }
    }
}

impl fmt::Display for AgeRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { first, open: true, .. } => write!(formatter, "{first}+"),
            Self { first, last, .. } if first == last => write!(formatter, "{first}"),
            Self { first, last, .. } => write!(formatter, "{first}-{last}"),
        }
    }
}

/// Parses an age in full years: `25`, `25.5` and `25,5`, the middle of a range (`40-49`, `20s`, `(25, 32)`), the start of
/// `70+` and `more than 70`.
pub(crate) fn age(text: &str) -> Result<u32, Fault> {
    age_range(text).map(AgeRange::middle)
}

/// Parses a range of ages, in all forms of [`age`].
pub(crate) fn age_range(text: &str) -> Result<AgeRange, Fault> {
    let text = text.trim();
    if let Some(ages) = years(text).map(AgeRange::exact).or_else(|| open_range(text)).or_else(|| range(text)) {
        return Ok(ages);
    }
    Err(match spreadsheet_range(text) {
        Some(range) => Fault {
            cause: Cause::SpreadsheetDate,
            reason: format!(
                "age `{text}` is a date that a spreadsheet made of the range {range}; format the column as text and enter \
                 the range again"
            ),
        },
        None => Fault::label(format!(
            "age `{text}` is not a number of years between 0 and {MAX_LABEL_AGE} or a range of them"
        )),
    })
}

/// `40-49`, `40–49`, `40 to 49`, `20s` or `(25, 32)`.
pub(crate) fn range(text: &str) -> Option<AgeRange> {
    let closed = |first, last| AgeRange { first, last, open: false };
    if let Some(first) = text.strip_suffix('s').map(|text| text.trim_end_matches('\'')).and_then(years) {
        return (first % 10 == 0).then_some(closed(first, first + 9));
    }
    let inside = text.strip_prefix(['(', '[']).and_then(|text| text.strip_suffix([')', ']']));
    let (first, last) = match inside {
        Some(inside) => inside.split_once(',').or_else(|| inside.split_once('-'))?,
        None => text.split_once(['-', '–', '—']).or_else(|| text.split_once(" to "))?,
    };
    let (first, last) = (years(first)?, years(last)?);
    (first <= last).then_some(closed(first, last))
}

/// `70+`, `>70` and `more than 70`.
pub(crate) fn open_range(text: &str) -> Option<AgeRange> {
    let first = text.strip_suffix('+').or_else(|| text.strip_prefix('>')).or_else(|| text.strip_prefix("more than "));
    first.and_then(years).map(|first| AgeRange { first, last: MAX_LABEL_AGE, open: true })
}

/// Parses a number of years with a decimal point or comma.
fn years(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let years = (digits(whole) && digits(decimals)).then(|| whole.parse().ok()).flatten();
    years.filter(|years| *years <= MAX_LABEL_AGE)
}

/// The range that a spreadsheet converted to the date `text`: `10-19` for `19-Oct`, `Oct-19`, `2019-10-19` and `45218`.
fn spreadsheet_range(text: &str) -> Option<String> {
    let range = |one: u32, other: u32| format!("{}-{}", one.min(other), one.max(other));
    if let Some(days) = text.parse::<i64>().ok().filter(|days| (30_000..60_000).contains(days)) {
        let date = Date::of_spreadsheet(days);
        return Some(range(date.month, date.day));
    }
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower.split([' ', '-', '/', '.']).filter(|part| !part.is_empty()).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let month = parts.iter().find_map(|part| month(part));
    match (month, &numbers[..], parts.len()) {
        (Some(month), [number], 2) => Some(range(month, *number)),
        // With a year before or after.
        (Some(month), [day, year], 3) | (Some(month), [year, day], 3) if *year > 31 && *day <= 31 => {
            Some(range(month, *day))
        }
        (Some(month), [day, _], 3) => Some(range(month, *day)),
        (None, [year, month, day] | [month, day, year], 3) if *year > 1000 && *month <= 31 && *day <= 31 => {
            Some(range(*month, *day))
        }
        _ => None,
    }
}

fn month(text: &str) -> Option<u32> {
    let starts = |names: &&[&str]| names.iter().any(|name| text.starts_with(name));
    let index = MONTHS.iter().position(starts)?;
    Some(index as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_of_years_or_a_range() {
        for (text, years) in [
            ("25", 25),
            ("25.9", 25),
            ("25,9", 25),
            (" 025 ", 25),
            ("40-49", 44),
            ("10 - 19", 14),
            ("20–29", 24),
            ("60 to 69", 64),
            ("20s", 24),
            ("(25, 32)", 28),
            ("[15, 20)", 17),
            ("70-120", 95),
            ("70+", 70),
            (">70", 70),
            ("more than 70", 70),
        ] {
            assert_eq!(age(text), Ok(years), "{text}");
        }
        for text in ["-3", "old", "49-40", "1985", "NaN", "+", "-", "25s", "1e1", "25,", "(25)", "1-2-3", "None", "s"] {
            assert_eq!(age(text).map_err(|fault| fault.cause), Err(Cause::Label), "{text}");
        }
    }

    #[test]
    fn a_range_that_a_spreadsheet_turned_into_a_date_is_named_with_the_range() {
        for text in
            ["19-Oct", "Oct-19", "oct 19", "19. Okt", "19-oct.", "19-Oct-23", "2023-10-19", "10/19/2023", "45218"]
        {
            let fault = age(text).unwrap_err();

            assert_eq!(fault.cause, Cause::SpreadsheetDate, "{text}");
            assert!(fault.reason.contains("the range 10-19; format the column as text"), "{}", fault.reason);
        }
        assert!(age("9-Mar").unwrap_err().reason.contains("3-9"));
    }
}
