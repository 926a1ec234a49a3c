//! HTML report of an evaluation, self-contained.

use image::RgbImage;
use ipcgan_data::aged_sheet;
use ipcgan_data::page::{data_url, page};
use maud::{Markup, html};

use super::{
    AgesOfGender, Distribution, Evaluation, FALSE_ACCEPT_RATES, GenderMetrics, Interval, Method, Metrics, Pair,
    Realism, Teachers, TwoSample,
};

/// Rows per image.
const ROWS: usize = 10;

/// HTML report on `evaluation` of the weights `weights` on faces of `data`.
pub fn report(evaluation: &Evaluation, weights: &str, data: &str) -> String {
    let Evaluation { metrics, strips, .. } = evaluation;
    let body = html! {
        h1 { "Evaluation of " (weights) }
        p { strong { (metrics.verdict) } }
        p {
            (metrics.faces) " held-out faces of " (data) ", each aged to " (metrics.groups.len()) " groups. "
            "Brackets hold 95% intervals (bootstrap over faces). "
            "Age and identity are estimated by dlib's age estimator and face recogniser, which are independent of our training."
        }
        h2 { "Faces" }
        p { "Source, then the face at each age group. The rows are spread evenly over all faces, not hand-picked." }
        @for rows in strips.chunks(ROWS).take(1) { (strip(rows, metrics)) }
        h2 { "Ageing" }
        (years_plot(metrics))
        (years(metrics))
        (ageing(metrics))
        (regressed_ages(metrics))
        @if !metrics.genders.is_empty() {
            h2 { "Women and men" }
            (genders(metrics))
        }
        h2 { "By source and target group" }
        @if let Some(method) = metrics.methods.first() { (by_pair(method, &metrics.groups)) }
        h2 { "Confusion matrix" }
        @if let Some(method) = metrics.methods.first() { (confusion(method, metrics, &evaluation.examples)) }
        h2 { "Identity" }
        (identity(metrics))
        h2 { "Realism" }
        (realism(metrics, "recogniser's embeddings", |realism| &realism.recogniser))
        (realism(metrics, "age estimator's penultimate features", |realism| &realism.age_estimator))
        p.muted {
            "Faces aged to a group from other groups, compared with its real faces; no identity is in both sets. Kernel distance (the estimator of KID), in brackets relative to "
            "the unchanged sources; real faces, half against half, show the level of chance. Two-sample accuracy: accuracy of a logistic regression that separates aged from "
            "real faces (classifier two-sample test; as many of each, five folds by identity; chance is 0.5)."
        }
        h2 { "Image quality" }
        (quality(metrics))
        @if let Some(teachers) = &metrics.teachers {
            h2 { "Identity network and age classifier" }
            (teachers_section(teachers, metrics.real.majority_class_rate))
        }
        @if strips.len() > ROWS {
            h2 { "More faces" }
            @for rows in strips.chunks(ROWS).skip(1) { (strip(rows, metrics)) }
        }
    };
    page(&format!("Evaluation of {weights}"), &body)
}

fn strip(rows: &[Vec<RgbImage>], metrics: &Metrics) -> Markup {
    html! { p { img src=(data_url(&aged_sheet(rows, &metrics.groups))) alt="Faces at each age"; } }
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
            tr { th { "" } th { "in the target group" } th { "mean age error (years)" } th { "age correlation" } }
            tr { td { "real faces, in their own group" } td { (shown(metrics.real.accuracy.as_ref(), 3)) } td { "0" } td { "" } }
            tr { td { "majority-class baseline" } td { (number(metrics.real.majority_class_rate, 3)) } td { "" } td { "" } }
            @for method in &metrics.methods {
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
fn regressed_ages(metrics: &Metrics) -> Markup {
    let real = ("real faces, in their own group", &metrics.real.regressed_ages);
    let methods = metrics.methods.iter().map(|method| (method.name.as_str(), &method.regressed_ages));
    let rows: Vec<_> =
        std::iter::once(real).chain(methods).filter_map(|(name, ages)| Some((name, ages.as_ref()?))).collect();
    html! {
        @if !rows.is_empty() {
            table {
                tr {
                    th { "years by the second estimator" }
                    @for group in &metrics.groups { th { (group) } }
                    th { "in the target group" }
                }
                @for (name, ages) in rows {
                    tr {
                        td { (name) }
                        @for years in &ages.years { td { (shown(years.as_ref(), 1)) } }
                        td { (shown(ages.accuracy.as_ref(), 3)) }
                    }
                }
            }
            p.muted {
                "The second estimator is a ridge regression from the recogniser's embeddings to age, fitted to up to 200 faces a group of the training split. It is coarser than "
                "the first and moves ages towards their mean: compare with the real faces, which it has not seen."
            }
        }
    }
}

/// Ages of women and men, by both estimators.
fn genders(metrics: &Metrics) -> Markup {
    let row = |name: &str, ages: &AgesOfGender| {
        let by_second = ages.regressed_ages.as_ref();
        html! {
            tr {
                td { (name) }
                @for years in &ages.years { td { (shown(years.as_ref(), 1)) } }
                td { (shown(ages.accuracy.as_ref(), 3)) }
            }
            @if let Some(ages) = by_second {
                tr {
                    td { (name) ", second estimator" }
                    @for years in &ages.years { td { (shown(years.as_ref(), 1)) } }
                    td { (shown(ages.accuracy.as_ref(), 3)) }
                }
            }
        }
    };
    html! {
        @for GenderMetrics { gender, faces, real, generator } in &metrics.genders {
            table {
                tr {
                    th { (gender) " (" (faces) " faces)" }
                    @for group in &metrics.groups { th { (group) } }
                    th { "in the target group" }
                }
                (row("real faces of the group", real))
                (row("aged by the generator", generator))
            }
        }
    }
}

fn by_pair(method: &Method, groups: &[String]) -> Markup {
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
            "For the " (method.name) "; the other methods are in metrics.json. Error: absolute difference between a face's estimated age and the mean of "
            "real faces of the target group."
        }
    }
}

/// Confusion matrix: a row per target group, a column per group by estimated age, with an example face in each cell.
fn confusion(method: &Method, metrics: &Metrics, examples: &[Vec<Option<RgbImage>>]) -> Markup {
    html! {
        table {
            tr { th { "aged to" } @for group in &metrics.groups { th { "looks " (group) } } }
            @for ((group, fractions), faces) in metrics.groups.iter().zip(&method.confusion).zip(examples) {
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
fn years_plot(metrics: &Metrics) -> Markup {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 40.0;
    const FOOT: f64 = 30.0;
    const OLDEST: f64 = 80.0;
    const COLOURS: [&str; 4] = ["#888888", "#d1495b", "#3b7dd8", "#e0a045"];
    let step = (WIDTH - LEFT) / metrics.groups.len() as f64;
    let x = |group: usize| LEFT + step * (group as f64 + 0.5);
    let y = |years: f64| HEIGHT - years / OLDEST * HEIGHT;
    let real = ("real faces of the group", &metrics.real.years);
    let methods = metrics.methods.iter().map(|method| (method.name.as_str(), &method.years));
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
            @for (group, name) in metrics.groups.iter().enumerate() {
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

fn teachers_section(teachers: &Teachers, majority_class_rate: f64) -> Markup {
    html! {
        table {
            tr { th { "age classifier, real faces" } th { "right group" } th { "within one group" } }
            tr {
                td { "our age classifier" }
                td { (shown(teachers.age_accuracy.as_ref(), 3)) }
                td { (shown(teachers.age_within_one.as_ref(), 3)) }
            }
            tr { td { "majority-class baseline" } td { (number(majority_class_rate, 3)) } td { "" } }
        }
        @match teachers.verification_auc {
            Some(area) => p {
                "Identity network: verification ROC AUC " (number(area, 3))
                " (chance is 0.5), from " (teachers.known_faces) " faces with identity labels."
            },
            None => p { "Identity network: verification is not defined, because no identity has two images among these faces." },
        }
    }
}

fn identity(metrics: &Metrics) -> Markup {
    let [first, second] = metrics.real.thresholds;
    html! {
        table {
            tr {
                th { "" }
                @for rate in FALSE_ACCEPT_RATES { th { "verification rate at a false accept rate of " (rate) } }
                @for gap in 0..metrics.groups.len() { th { "distance, " (gap) " groups apart" } }
            }
            @for method in &metrics.methods {
                tr {
                    td { (method.name) }
                    @for fraction in &method.verification_rate { td { (shown(fraction.as_ref(), 3)) } }
                    @for distance in &method.distance_by_gap { td { (optional(*distance, 3)) } }
                }
            }
        }
        p.muted {
            "Thresholds " (optional(first, 3)) " and " (optional(second, 3)) " from " (metrics.real.impostor_pairs)
            " pairs of different identities among the same faces."
        }
    }
}

/// Kernel distance, its ratio to the unchanged sources', and two-sample accuracy, by target group.
fn realism(metrics: &Metrics, features: &str, of: fn(&Realism) -> &TwoSample) -> Markup {
    let cell = |realism: &Option<Realism>| {
        let Some(realism) = realism else { return "not defined".to_string() };
        let TwoSample { kernel_distance, relative_to_unchanged, two_sample_accuracy } = of(realism);
        let fraction = relative_to_unchanged.map_or(String::new(), |fraction| format!(" ({fraction:.2})"));
        let accuracy = two_sample_accuracy.map_or("not defined".into(), |accuracy| number(accuracy, 2));
        format!("{}{fraction}; {accuracy}", number(1000.0 * kernel_distance, 2))
    };
    let rows = std::iter::once(("real faces, half against half", &metrics.real.realism));
    let rows = rows.chain(metrics.methods.iter().map(|method| (method.name.as_str(), &method.realism)));
    html! {
        table {
            tr { th { "kernel distance x 1000 (relative to unchanged); two-sample accuracy, on the " (features) } @for group in &metrics.groups { th { (group) } } }
            @for (name, groups) in rows {
                tr { td { (name) } @for group in groups { td { (cell(group)) } } }
            }
        }
    }
}

fn quality(metrics: &Metrics) -> Markup {
    html! {
        table {
            tr {
                th { "" } th { "Fréchet distance" } th { "kernel distance" } th { "Laplacian variance ratio" } th { "background change" }
                th { "own-group change" } th { "own-group perceptual distance" }
            }
            tr {
                td { "real faces, half against half" }
                (distances(&metrics.real.distribution))
                td { "1" } td { "" } td { "" } td { "" }
            }
            @for method in &metrics.methods {
                tr {
                    td { (method.name) }
                    (distances(&method.distribution))
                    td { (shown(method.laplacian_variance_ratio.as_ref(), 2)) }
                    td { (shown(method.background_change.as_ref(), 1)) }
                    td { (shown(method.own_group_change.as_ref(), 1)) }
                    td { (shown(method.own_group_perceptual_distance.as_ref(), 4)) }
                }
            }
        }
        @for (name, cycle) in metrics.methods.iter().filter_map(|method| Some((&method.name, method.cycle.as_ref()?))) {
            p {
                "Cycle consistency (" (name) ", to the farthest group and back): change "
                (shown(Some(&cycle.change), 1)) ", distance to the source " (shown(Some(&cycle.distance), 3))
                ", estimated age difference " (shown(Some(&cycle.years), 1)) " years."
            }
        }
        p.muted {
            "Fréchet and kernel distance (the estimators of FID and KID, on the recogniser's 128-dimensional embeddings and not on Inception features): half of the faces, each "
            "aged to the next group, against the other half unchanged; " (metrics.real.distribution.faces) " faces in each. Laplacian variance ratio: variance of the Laplacian of the luminance relative to the source; below one is blurred. "
            "Background and own-group change: mean absolute change of a value in 0 to 255, in the upper corners and of a face aged to its own group; perceptual as LPIPS, on the "
            "recogniser without learned weights."
        }
    }
}

fn distances(distribution: &Distribution) -> Markup {
    html! {
        td { (optional(distribution.frechet_distance, 4)) }
        td { (optional(distribution.kernel_distance, 5)) }
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
