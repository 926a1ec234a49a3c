//! Tables of ages.

use image::RgbImage;
use ipcgan_data::page::data_url;
use maud::{Markup, html};

use super::super::{Comparison, Interval, Method, Pair};
use super::format::{number, optional, shown};

pub(super) fn years(comparison: &Comparison, groups: &[String]) -> Markup {
    html! {
        table {
            tr { th { "estimated years" } @for group in groups { th { (group) } } }
            tr { td { "real faces of the group" } @for years in &comparison.real.years { td { (shown(years.as_ref(), 1)) } } }
            @for method in &comparison.methods {
                tr { td { (method.name) } @for years in &method.years { td { (shown(years.as_ref(), 1)) } } }
            }
        }
        p.muted { "Real faces a group: " (comparison.real.counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")) "." }
    }
}

pub(super) fn ageing(comparison: &Comparison) -> Markup {
    html! {
        table {
            tr { th { "" } th { "in the target group" } th { "mean age error (years)" } th { "age correlation" } }
            tr { td { "real faces, in their own group" } td { (shown(comparison.real.accuracy.as_ref(), 3)) } td { "0" } td { "" } }
            tr { td { "majority-class baseline" } td { (number(comparison.real.majority_class_rate, 3)) } td { "" } td { "" } }
            @for method in &comparison.methods {
                tr {
                    td { (method.name) }
                    td { (shown(method.accuracy.as_ref(), 3)) }
                    td { (optional(method.mean_age_error, 1)) }
                    td { (shown(method.age_correlation.as_ref(), 3)) }
                }
            }
        }
        p.muted {
            "Mean age error: mean over target groups of the absolute difference between the mean estimated ages of aged and of real faces. "
            "Age correlation: correlation of estimated age and target group, averaged over faces."
        }
    }
}

/// Ages by the second age estimator.
pub(super) fn second_ages(comparison: &Comparison, groups: &[String]) -> Markup {
    let real = ("real faces, in their own group", &comparison.real.second_ages);
    let methods = comparison.methods.iter().map(|method| (method.name.as_str(), &method.second_ages));
    html! {
        table {
            tr {
                th { "years by the second estimator" }
                @for group in groups { th { (group) } }
                th { "in the target group" }
            }
            @for (name, ages) in std::iter::once(real).chain(methods) {
                tr {
                    td { (name) }
                    @for years in &ages.years { td { (shown(years.as_ref(), 1)) } }
                    td { (shown(ages.accuracy.as_ref(), 3)) }
                }
            }
        }
        p.muted {
            "The second estimator is the recogniser's output for the age: another architecture, trained on other faces. It has errors of its own: compare with the real faces."
        }
    }
}

pub(super) fn by_pair(method: &Method, groups: &[String]) -> Markup {
    let table = |title: &str, cell: &dyn Fn(&Pair) -> String| {
        html! {
            table {
                tr { th { (title) } @for group in groups { th { "to " (group) } } }
                @for (group, row) in groups.iter().zip(&method.pairs) {
                    tr {
                        td { "from " (group) }
                        @for pair in row { td { (pair.as_ref().map_or_else(|| "–".into(), cell)) } }
                    }
                }
            }
        }
    };
    html! {
        (table("fraction in the target group", &|pair| number(pair.accuracy, 2)))
        (table("mean error in years", &|pair| optional(pair.error, 1)))
        (table("mean estimated age", &|pair| number(pair.years, 1)))
        p.muted {
            "For the " (method.name) "; the other methods are in comparison.json. Error: absolute difference between a face's estimated age and the mean of "
            "real faces of the target group."
        }
    }
}

/// Confusion matrix: a row per target group, a column per group by estimated age, with an example face in each cell.
pub(super) fn confusion(method: &Method, groups: &[String], examples: &[Vec<Option<RgbImage>>]) -> Markup {
    html! {
        table {
            tr { th { "aged to" } @for group in groups { th { "looks " (group) } } }
            @for ((group, fractions), faces) in groups.iter().zip(&method.confusion).zip(examples) {
                tr {
                    td { (group) }
                    @for (fraction, face) in fractions.iter().zip(faces) {
                        td {
                            @if let Some(face) = face { img src=(data_url(face)) width="72" alt=""; br; }
                            (number(*fraction, 2))
                        }
                    }
                }
            }
        }
        p.muted { "For the " (method.name) ": fractions of the faces aged to each group by their estimated age, and the first such face; "
            "the rest of a row looks younger than the first group." }
    }
}

/// Estimated age by target group: real faces, and each method.
pub(super) fn years_plot(comparison: &Comparison, groups: &[String]) -> Markup {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 40.0;
    const FOOT: f64 = 30.0;
    const OLDEST: f64 = 80.0;
    const COLOURS: [&str; 4] = ["#888888", "#d1495b", "#3b7dd8", "#e0a045"];
    let step = (WIDTH - LEFT) / groups.len() as f64;
    let x = |group: usize| LEFT + step * (group as f64 + 0.5);
    let y = |years: f64| HEIGHT - years / OLDEST * HEIGHT;
    let real = ("real faces of the group", &comparison.real.years);
    let methods = comparison.methods.iter().map(|method| (method.name.as_str(), &method.years));
    let lines: Vec<_> = std::iter::once(real).chain(methods).zip(COLOURS).collect();
    let points = |years: &[Option<Interval>]| {
        let known = years.iter().enumerate().filter_map(|(group, years)| Some((group, years.as_ref()?.value)));
        known.map(|(group, years)| format!("{:.1},{:.1}", x(group), y(years))).collect::<Vec<_>>().join(" ")
    };
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT + FOOT) } role="img" aria-label="Estimated age by target group" {
            @for years in (0..80).step_by(20) {
                line x1=(LEFT) x2=(WIDTH) y1=(y(f64::from(years))) y2=(y(f64::from(years))) stroke="currentColor" opacity="0.15" {}
                text x=(LEFT - 6.0) y=(y(f64::from(years)) - 4.0) font-size="12" text-anchor="end" fill="currentColor" { (years) }
            }
            @for (group, name) in groups.iter().enumerate() {
                text x=(x(group)) y=(HEIGHT + 20.0) font-size="12" text-anchor="middle" fill="currentColor" { (name) }
            }
            @for (line, ((name, years), colour)) in lines.iter().enumerate() {
                polyline points=(points(years)) fill="none" stroke=(colour) stroke-width="2" {}
                @for (group, years) in years.iter().enumerate() {
                    @if let Some(years) = years {
                        line x1=(x(group)) x2=(x(group)) y1=(y(years.low)) y2=(y(years.high)) stroke=(colour) stroke-width="5" opacity="0.5" {}
                    }
                }
                text x=(LEFT + 12.0) y=(18.0 + 18.0 * line as f64) font-size="13" fill=(colour) { (name) }
            }
        }
        p.muted { "Mean estimated age in years by target group, with 95% intervals." }
    }
}
