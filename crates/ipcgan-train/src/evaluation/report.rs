//! The report of an evaluation: one page that needs nothing else.

use ipcgan_data::page::{page, picture_address};
use maud::{Markup, html};

use super::{Evaluation, FALSE_ACCEPT_RATES, Interval, Method, Metrics};
use crate::samples::aged_sheet;

/// Strips on one picture.
const ROWS: usize = 10;

/// The page on `evaluation` of the weights called `weights`, on faces of `data`.
pub fn report(evaluation: &Evaluation, weights: &str, data: &str) -> String {
    let Evaluation { metrics, strips } = evaluation;
    let body = html! {
        h1 { "Evaluation of " (weights) }
        p {
            (metrics.faces) " held-out faces of " (data) ", each aged to " (metrics.groups.len()) " groups. "
            "Brackets hold 95% intervals (bootstrap over faces). "
            "Age and identity are judged by dlib's age estimator and recogniser, which no training here has seen."
        }
        h2 { "Ageing" }
        (years(metrics))
        (ageing(metrics))
        h2 { "Estimated age by source and target" }
        @for method in &metrics.methods { (by_pair(method, &metrics.groups)) }
        h2 { "Identity" }
        (identity(metrics))
        h2 { "Picture quality" }
        (quality(metrics))
        h2 { "Strips" }
        p { "Left the source, then the face at each age; spread over all faces, none chosen by eye." }
        @for rows in strips.chunks(ROWS) {
            p { img src=(picture_address(&aged_sheet(rows, &metrics.groups))) alt="Faces at each age"; }
        }
    };
    page(&format!("Evaluation of {weights}"), &body)
}

fn years(metrics: &Metrics) -> Markup {
    html! {
        table {
            tr { th { "estimated years" } @for group in &metrics.groups { th { (group) } } }
            tr { td { "real faces of the group" } @for years in &metrics.real.years { td { (shown(years.as_ref(), 1)) } } }
            @for method in &metrics.methods {
                tr { td { (method.name) } @for years in &method.years { td { (shown(years.as_ref(), 1)) } } }
            }
        }
        p.muted { "Real faces a group: " (metrics.real.counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")) "." }
    }
}

fn ageing(metrics: &Metrics) -> Markup {
    html! {
        table {
            tr { th { "" } th { "in the target group" } th { "years off" } th { "smoothness" } }
            tr { td { "real faces, in their own group" } td { (shown(metrics.real.accuracy.as_ref(), 3)) } td { "0" } td { "" } }
            tr { td { "always the commonest group" } td { (number(metrics.real.commonest, 3)) } td { "" } td { "" } }
            @for method in &metrics.methods {
                tr {
                    td { (method.name) }
                    td { (shown(method.accuracy.as_ref(), 3)) }
                    td { (number(method.years_off, 1)) }
                    td { (shown(method.smoothness.as_ref(), 3)) }
                }
            }
        }
        p.muted {
            "Years off: mean over the groups of the distance between the estimated ages of faces aged to it and of its real faces. "
            "Smoothness: correlation of estimated age and target group, mean over faces."
        }
    }
}

fn by_pair(method: &Method, groups: &[String]) -> Markup {
    html! {
        table {
            tr { th { (method.name) } @for group in groups { th { "to " (group) } } }
            @for (group, row) in groups.iter().zip(&method.years_by_pair) {
                tr { td { "from " (group) } @for years in row { td { (optional(*years, 1)) } } }
            }
        }
    }
}

fn identity(metrics: &Metrics) -> Markup {
    let [first, second] = metrics.real.thresholds;
    html! {
        table {
            tr {
                th { "verified as the source" }
                @for rate in FALSE_ACCEPT_RATES { th { "at false accepts of " (rate) } }
                @for gap in 0..metrics.groups.len() { th { "distance, " (gap) " groups apart" } }
            }
            @for method in &metrics.methods {
                tr {
                    td { (method.name) }
                    @for share in &method.verified { td { (shown(share.as_ref(), 3)) } }
                    @for distance in &method.distance_by_gap { td { (optional(*distance, 3)) } }
                }
            }
        }
        p.muted {
            "Thresholds " (optional(first, 3)) " and " (optional(second, 3)) " from " (metrics.real.impostor_pairs)
            " pairs of different people among the same faces."
        }
    }
}

fn quality(metrics: &Metrics) -> Markup {
    html! {
        table {
            tr {
                th { "" } th { "kernel distance" } th { "sharpness" } th { "background" } th { "own group" } th { "there and back" }
            }
            tr {
                td { "real faces, half to half" } td { (optional(metrics.real.kernel_distance, 5)) }
                td { "1" } td { "" } td { "" } td { "" }
            }
            @for method in &metrics.methods {
                tr {
                    td { (method.name) }
                    td { (optional(method.kernel_distance, 5)) }
                    td { (shown(method.sharpness.as_ref(), 2)) }
                    td { (shown(method.background.as_ref(), 1)) }
                    td { (shown(method.own_group.as_ref(), 1)) }
                    td { (shown(method.cycle.as_ref(), 1)) }
                }
            }
        }
        p.muted {
            "Kernel distance (KID's estimator, on the recogniser's 128 numbers and not on Inception's): aged faces, each at the group after its own, to "
            "the real ones. Sharpness: detail as a share of the source's. Background, own group, there and back: mean change of a value in 0 to 255, in "
            "the upper corners, at the face's own group, and after ageing it to the farthest group and back."
        }
    }
}

fn number(value: f64, digits: usize) -> String {
    format!("{value:.digits$}")
}

fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".into(), |value| number(value, digits))
}

fn shown(interval: Option<&Interval>, digits: usize) -> String {
    let text = |interval: &Interval| {
        format!("{:.digits$} [{:.digits$}, {:.digits$}]", interval.value, interval.low, interval.high)
    };
    interval.map_or_else(|| "–".into(), text)
}
