//! Dates as day numbers of spreadsheets and MATLAB.

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    /// From 1 to 12.
    pub(crate) month: u32,
    /// From 1 to 31.
    pub(crate) day: u32,
}

impl Date {
    /// The date that MATLAB's `datenum` counts as `days`: 719529 is the first of January 1970.
    pub(crate) fn of_matlab(days: i64) -> Self {
        Self::of_unix(days - 719_529)
    }

    /// The date that a spreadsheet counts as `days`: 25569 is the first of January 1970.
    pub(crate) fn of_spreadsheet(days: i64) -> Self {
        Self::of_unix(days - 25_569)
    }

    /// The date `days` after the first of January 1970.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    fn of_unix(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months from March on, so that the leap day is the last one of a year.
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { year, month: month as u32, day: day as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_day_numbers_of_matlab_and_spreadsheets_are_dates() {
        let date = |year, month, day| Date { year, month, day };

        // `datestr(736666)` and `=DATE(2016; 12; 1)`.
        assert_eq!(Date::of_matlab(736_665), date(2016, 12, 1));
        assert_eq!(Date::of_matlab(719_529), date(1970, 1, 1));
        assert_eq!(Date::of_spreadsheet(45_218), date(2023, 10, 19));
        assert_eq!(Date::of_spreadsheet(45_351), date(2024, 2, 29));
        assert_eq!(Date::of_matlab(693_726), date(1899, 5, 10));
    }
}
