//! Tables of identity, realism and image quality.

use maud::{Markup, html};

use super::super::{Comparison, Distribution, FALSE_ACCEPT_RATES, Realism, Teachers, TwoSample};
use super::format::{number, optional, shown};

pub(super) fn teachers_section(teachers: &Teachers, majority_class_rate: f64) -> Markup {
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

pub(super) fn identity(comparison: &Comparison, groups: &[String]) -> Markup {
    let [first, second] = comparison.real.thresholds;
    html! {
        table {
            tr {
                th { "" }
                @for rate in FALSE_ACCEPT_RATES { th { "verification rate at a false accept rate of " (rate) } }
                @for gap in 0..groups.len() { th { "cosine distance, " (gap) " groups apart" } }
            }
            @for method in &comparison.methods {
                tr {
                    td { (method.name) }
                    @for fraction in &method.verification_rate { td { (shown(fraction.as_ref(), 3)) } }
                    @for distance in &method.distance_by_gap { td { (optional(*distance, 3)) } }
                }
            }
        }
        p.muted {
            "Thresholds " (optional(first, 3)) " and " (optional(second, 3)) " from " (comparison.real.impostor_pairs)
            " pairs of different identities among the same faces."
        }
    }
}

/// Kernel distance, its ratio to the unchanged sources', and two-sample accuracy, by target group.
pub(super) fn realism(
    comparison: &Comparison,
    groups: &[String],
    features: &str,
    of: fn(&Realism) -> &TwoSample,
) -> Markup {
    let cell = |realism: &Option<Realism>| {
        let Some(realism) = realism else { return "not defined".to_string() };
        let TwoSample { kernel_distance, relative_to_unchanged, two_sample_accuracy } = of(realism);
        let fraction = relative_to_unchanged.map_or(String::new(), |fraction| format!(" ({fraction:.2})"));
        let accuracy = two_sample_accuracy.map_or("not defined".into(), |accuracy| number(accuracy, 2));
        format!("{}{fraction}; {accuracy}", number(1000.0 * kernel_distance, 2))
    };
    let rows = std::iter::once(("real faces, half against half", &comparison.real.realism));
    let rows = rows.chain(comparison.methods.iter().map(|method| (method.name.as_str(), &method.realism)));
    html! {
        table {
            tr { th { "kernel distance x 1000 (relative to unchanged); two-sample accuracy, on the " (features) } @for group in groups { th { (group) } } }
            @for (name, groups) in rows {
                tr { td { (name) } @for group in groups { td { (cell(group)) } } }
            }
        }
    }
}

pub(super) fn quality(comparison: &Comparison) -> Markup {
    html! {
        table {
            tr {
                th { "" } th { "Fréchet distance" } th { "kernel distance" } th { "Laplacian variance ratio" } th { "background change" }
                th { "own-group change" } th { "own-group perceptual distance" }
            }
            tr {
                td { "real faces, half against half" }
                (distances(&comparison.real.distribution))
                td { "1" } td { "" } td { "" } td { "" }
            }
            @for method in &comparison.methods {
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
        @for (name, cycle) in comparison.methods.iter().filter_map(|method| Some((&method.name, method.cycle.as_ref()?))) {
            p {
                "Cycle consistency (" (name) ", to the farthest group and back): change "
                (shown(Some(&cycle.change), 1)) ", cosine distance to the source " (shown(Some(&cycle.distance), 3))
                ", estimated age difference " (shown(Some(&cycle.years), 1)) " years."
            }
        }
        p.muted {
            "Fréchet and kernel distance (the estimators of FID and KID, on the recogniser's 1,024-dimensional embeddings and not on Inception features): half of the faces, each "
            "aged to the next group, against the other half unchanged; " (comparison.real.distribution.faces) " faces in each. Laplacian variance ratio: variance of the Laplacian of the luminance relative to the source; below one is blurred. "
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
