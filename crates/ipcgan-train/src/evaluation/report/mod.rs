//! HTML report of an evaluation, self-contained.

mod ages;
mod format;
mod images;

use image::RgbImage;
use ipcgan_data::aged_sheet;
use ipcgan_data::page::{data_url, page};
use maud::{Markup, html};

use super::{Evaluation, GenderMetrics};
use ages::{ageing, by_pair, confusion, second_ages, years, years_plot};
use images::{identity, quality, realism, teachers_section};

/// Rows per image.
const ROWS: usize = 10;

/// HTML report on `evaluation` of the weights `weights` on faces of `data`.
pub fn report(evaluation: &Evaluation, weights: &str, data: &str) -> String {
    let Evaluation { metrics, strips, examples } = evaluation;
    let (all, groups) = (&metrics.all, &metrics.groups[..]);
    let body = html! {
        h1 { "Evaluation of " (weights) }
        p { strong { (all.verdict) } }
        p {
            (all.faces) " held-out faces of " (data) ", each aged to " (groups.len()) " groups. "
            "Brackets hold 95% intervals (bootstrap over faces). "
            "Ages are estimated by dlib's age estimator, identities and, a second time, ages by the face recogniser HSE-FaceRes. Both are independent of our training."
        }
        h2 { "Faces" }
        p { "Source, then the face at each age group. The rows are spread evenly over all faces, not hand-picked." }
        @for rows in strips.chunks(ROWS).take(1) { (strip(rows, groups)) }
        h2 { "Ageing" }
        (years_plot(all, groups))
        (years(all, groups))
        (ageing(all))
        (second_ages(all, groups))
        @if !metrics.genders.is_empty() {
            h2 { "Women and men" }
            @for of_gender in &metrics.genders { (gender(of_gender, groups)) }
        }
        h2 { "By source and target group" }
        @if let Some(method) = all.methods.first() { (by_pair(method, groups)) }
        h2 { "Confusion matrix" }
        @if let Some(method) = all.methods.first() { (confusion(method, groups, examples)) }
        h2 { "Identity" }
        (identity(all, groups))
        h2 { "Realism" }
        (realism(all, groups, "recogniser's embeddings", |realism| &realism.recogniser))
        (realism(all, groups, "age estimator's penultimate features", |realism| &realism.age_estimator))
        p.muted {
            "Faces aged to a group from other groups, compared with its real faces; no identity is in both sets. Kernel distance (the estimator of KID), in brackets relative to "
            "the unchanged sources; real faces, half against half, show the level of chance. Two-sample accuracy: accuracy of a logistic regression that separates aged from "
            "real faces (classifier two-sample test; as many of each, five folds by identity; chance is 0.5)."
        }
        h2 { "Image quality" }
        (quality(all))
        @if let Some(teachers) = &metrics.teachers {
            h2 { "Identity network and age classifier" }
            (teachers_section(teachers, all.real.majority_class_rate))
        }
        @if strips.len() > ROWS {
            h2 { "More faces" }
            @for rows in strips.chunks(ROWS).skip(1) { (strip(rows, groups)) }
        }
    };
    page(&format!("Evaluation of {weights}"), &body)
}

fn strip(rows: &[Vec<RgbImage>], groups: &[String]) -> Markup {
    html! { p { img src=(data_url(&aged_sheet(rows, groups))) alt="Faces at each age"; } }
}

/// Metrics of women or of men.
fn gender(metrics: &GenderMetrics, groups: &[String]) -> Markup {
    let GenderMetrics { gender, comparison } = metrics;
    html! {
        h3 { (gender) ", " (comparison.faces) " faces" }
        p { (comparison.verdict) }
        (years(comparison, groups))
        (second_ages(comparison, groups))
        (identity(comparison, groups))
        (realism(comparison, groups, "recogniser's embeddings", |realism| &realism.recogniser))
    }
}
