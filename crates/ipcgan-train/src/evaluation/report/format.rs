//! Numbers as the report shows them.

use super::super::Interval;

/// `value` with `digits` decimals.
pub(super) fn number(value: f64, digits: usize) -> String {
    format!("{value:.digits$}")
}

/// `value` with `digits` decimals, or a dash.
pub(super) fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |value| number(value, digits))
}

/// `interval` with `digits` decimals, its limits in brackets, or a dash.
pub(super) fn shown(interval: Option<&Interval>, digits: usize) -> String {
    let text = |interval: &Interval| {
        format!("{:.digits$} [{:.digits$}, {:.digits$}]", interval.value, interval.low, interval.high)
    };
    interval.map_or_else(|| "–".into(), text)
}
