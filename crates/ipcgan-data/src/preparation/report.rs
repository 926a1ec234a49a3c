//! The HTML report of a prepared folder.

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use ipcgan_model::AgeGroups;
use maud::{Markup, html};

use super::{PreparationConfig, Prepared};
use crate::contact_sheet::contact_sheet;
use crate::excluded::Cause;
use crate::page::{data_url, page};
use crate::{DataError, FaceLabel, Split, photo};

/// Maximum number of faces on the contact sheet of a group, and in one row.
const SHOWN: usize = 40;
const IN_A_ROW: usize = 10;
/// Side of a face on a contact sheet, in pixels.
const SHOWN_SIDE: u32 = 96;
/// Number of examples shown for each cause of exclusion.
const EXAMPLES: usize = 5;

/// The report on `prepared`, whose images are in `folder`.
pub(super) fn report(prepared: &Prepared, folder: &Path, config: &PreparationConfig) -> Result<String, DataError> {
    let groups = &config.age_groups;
    let sheets = contact_sheets(prepared, folder, groups)?;
    let body = html! {
        h1 { "Prepared faces: " (config.source) }
        p {
            (prepared.faces.len()) " faces of " (config.size) " × " (config.size) " pixels; "
            (prepared.excluded.len()) " images excluded."
        }
        h2 { "Faces by age group and split" }
        (faces_table(prepared, groups))
        h2 { "Readiness for training" }
        ul { @for line in prepared.readiness(groups).lines() { li { (line) } } }
        h2 { "Ages" }
        (histogram(prepared, groups))
        h2 { "Faces per identity" }
        (people_table(prepared))
        h2 { "Excluded" }
        (excluded_table(prepared))
        p {
            (prepared.duplicates.len()) " images are near-duplicates of another one (duplicates.csv); "
            "their faces are in the same split."
        }
        @for (name, sheet) in sheets {
            h2 { (name) }
            img src=(sheet) alt={ "Faces of group " (name) };
        }
    };
    Ok(page(&format!("Prepared faces: {}", config.source), &body))
}

/// Faces by age group, with the group's name; faces without a group come last.
fn by_group<'a>(prepared: &'a Prepared, groups: &AgeGroups) -> Vec<(String, Vec<&'a (String, FaceLabel)>)> {
    let of = |group: Option<usize>| prepared.faces.iter().filter(move |(_, label)| label.group == group).collect();
    let mut all: Vec<_> = groups.indices().map(|group| (groups.name(group), of(Some(group)))).collect();
    all.push(("age unknown".into(), of(None)));
    all.retain(|(name, faces): &(_, Vec<_>)| groups.by_name(name).is_some() || !faces.is_empty());
    all
}

fn faces_table(prepared: &Prepared, groups: &AgeGroups) -> Markup {
    let rows = by_group(prepared, groups);
    let of =
        |faces: &[&(String, FaceLabel)], split| faces.iter().filter(|(_, label)| label.split == Some(split)).count();
    let all: Vec<_> = prepared.faces.iter().collect();
    html! {
        table {
            tr { th { "age group" } @for split in Split::ALL { th { (split) } } th { "all" } }
            @for (name, faces) in rows.iter().map(|(name, faces)| (name.as_str(), faces)).chain([("all", &all)]) {
                tr { td { (name) } @for split in Split::ALL { td { (of(faces, split)) } } td { (faces.len()) } }
            }
        }
    }
}

/// Histogram of ages.
fn histogram(prepared: &Prepared, groups: &AgeGroups) -> Markup {
    const BAR: usize = 8;
    const HEIGHT: usize = 160;
    const FOOT: usize = 24;
    let mut counts = BTreeMap::<u32, usize>::new();
    prepared.faces.iter().filter_map(|(_, label)| label.age).for_each(|age| *counts.entry(age).or_default() += 1);
    let (Some((&last, _)), Some(&max)) = (counts.last_key_value(), counts.values().max()) else {
        return html! { p { "No age is known." } };
    };
    let x = |age: u32| age as usize * BAR;
    let colour = |age| groups.group_of(age).map_or("#888", |group| ["#3b7dd8", "#e08e45"][group % 2]);
    html! {
        svg viewBox={ "0 0 " (x(last + 2)) " " (HEIGHT + FOOT) } role="img" aria-label="Faces of each age" {
            @for (&age, &count) in &counts {
                @let height = (count * HEIGHT).div_ceil(max);
                rect x=(x(age)) y=(HEIGHT - height) width=(BAR - 1) height=(height) fill=(colour(age)) {
                    title { (age) " years: " (count) }
                }
            }
            @for age in (0..=last).step_by(10) {
                text x=(x(age) + BAR / 2) y=(HEIGHT + 16) font-size="11" text-anchor="middle" fill="currentColor" { (age) }
            }
        }
        p.muted { "Years; the highest bar is " (max) " faces. Colours change from group to group." }
    }
}

/// Histogram of the faces per identity.
fn people_table(prepared: &Prepared) -> Markup {
    const STEPS: [(usize, &str); 6] =
        [(1, "1"), (2, "2"), (3, "3 to 5"), (6, "6 to 10"), (11, "11 to 30"), (31, "31 or more")];
    let mut faces = BTreeMap::<&str, usize>::new();
    let named = prepared.faces.iter().filter_map(|(_, label)| label.identity.as_deref());
    named.for_each(|person| *faces.entry(person).or_default() += 1);
    let unnamed = prepared.faces.len() - faces.values().sum::<usize>();
    let people = |step: usize| {
        let end = STEPS.get(step + 1).map_or(usize::MAX, |(first, _)| *first);
        faces.values().filter(|count| (STEPS[step].0..end).contains(count)).count()
    };
    html! {
        @if !faces.is_empty() {
            table {
                tr { th { "faces" } th { "identities" } }
                @for (step, (_, name)) in STEPS.iter().enumerate() {
                    tr { td { (name) } td { (people(step)) } }
                }
                tr { td { "all" } td { (faces.len()) } }
            }
        }
        @if unnamed > 0 {
            p { (unnamed) " faces are of unknown identity; each counts as an identity of its own." }
        }
    }
}

fn excluded_table(prepared: &Prepared) -> Markup {
    let mut causes = BTreeMap::<Cause, Vec<String>>::new();
    for excluded in &prepared.excluded {
        causes.entry(excluded.fault.cause).or_default().push(excluded.to_string());
    }
    html! {
        @if causes.is_empty() { p { "Nothing." } } @else {
            table {
                tr { th { "why" } th { "images" } th.text { "for example" } }
                @for (cause, examples) in &causes {
                    tr {
                        td { (cause) }
                        td { (examples.len()) }
                        td.text { @for example in examples.iter().take(EXAMPLES) { (example) br; } }
                    }
                }
            }
            p { "excluded.csv names each with its reason." }
        }
    }
}

/// Name and contact sheet of each group that has faces.
fn contact_sheets(prepared: &Prepared, folder: &Path, groups: &AgeGroups) -> Result<Vec<(String, String)>, DataError> {
    let groups = by_group(prepared, groups).into_iter().filter(|(_, faces)| !faces.is_empty());
    groups
        .map(|(name, faces)| {
            let shown = faces.len().min(SHOWN);
            let images: Vec<RgbImage> = (0..shown)
                .map(|index| {
                    // Spread over the whole list, because images of one identity are adjacent.
                    let (file_name, _) = faces[index * faces.len() / shown];
                    Ok(photo::resized(&photo::read(&folder.join(file_name))?, SHOWN_SIDE))
                })
                .collect::<Result<_, DataError>>()?;
            let rows: Vec<_> = images.chunks(IN_A_ROW).map(<[RgbImage]>::to_vec).collect();
            Ok((name, data_url(&contact_sheet(&rows, 2))))
        })
        .collect()
}
