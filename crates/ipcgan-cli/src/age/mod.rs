//! `ipcgan age`: ages the people in photos.
//!
//! In order of execution: [`listing`] finds the photos, [`selection`] parses ages and faces, [`output_names`] names all
//! results before anything is written, [`photo`] ages one photo after the other, and [`resume_log`] records what is done.

mod animation;
mod listing;
mod natural_order;
mod output_names;
mod photo;
mod request;
mod resume_log;
mod selection;
mod source;
mod summary;
mod video;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use ipcgan::PhotoAging;
use log::{debug, error, info, warn};

use crate::arguments::AgeArguments;
use crate::output::{in_one_line, print_error, print_path};
use crate::progress::Progress;
use crate::weights::face_aging;
use crate::{devices, print_line};
use listing::{Given, Listing, Photo, Unreadable};
use output_names::{NameConflict, OutputNames, Suffixes};
use photo::{AgeResult, AgedPhoto, Aging, Job};
use request::AgeRequest;
pub(crate) use request::OutputFormat;
use resume_log::{PhotoId, ResumeLog};
pub(crate) use selection::{Age, FaceSelection, MAX_AGE, MAX_STRENGTH, strength};
use source::Content;
use summary::Summary;

/// Maximum number of renamed results that are listed.
const MAX_RENAMED: usize = 5;

pub(crate) fn run(arguments: &AgeArguments) -> Result<()> {
    let mut listing = Listing::of(&arguments.photos, &arguments.out)?;
    if arguments.video {
        listing.sort();
    }
    report_skipped(&listing, arguments);
    let device = devices::open(&arguments.device)?;
    let face_aging = face_aging(arguments.weights.as_deref(), &device)?;
    debug!("loaded weights");
    let (ages, notices) = selection::ages(&arguments.to, face_aging.age_groups())?;
    notices.iter().for_each(|notice| info!("{notice}"));
    let weights = arguments.weights.as_ref().map(|_| face_aging.origin());
    let request = AgeRequest::new(arguments, &ages, weights)?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create the folder {}", arguments.out.display()))?;
    let log = ResumeLog::open(&arguments.out)?;
    let suffixes = Suffixes::new(&ages, &face_aging.age_groups().names(), arguments.format);
    let on_conflict = if arguments.video { NameConflict::Refuse } else { NameConflict::Rename };
    let names = OutputNames::plan(&listing.photos, &arguments.out, &suffixes, &log, on_conflict)?;
    report_renamed(&listing.photos, &names);
    let aging = Aging {
        photo_aging: PhotoAging::new(face_aging, &device),
        ages,
        suffixes,
        request,
        out: arguments.out.clone(),
    };
    match arguments.video {
        true => video::run(&aging, &listing, &names.bases, log),
        false => age_all(&aging, &listing, &names, log, arguments),
    }
}

fn report_skipped(listing: &Listing, arguments: &AgeArguments) {
    if let Some(advice) = listing.advice() {
        warn!("not read: {advice}");
    }
    for Unreadable { path, reason } in &listing.unreadable {
        if arguments.json {
            print_json(&AgeResult::Failed { path: path.as_path().into(), error: reason.to_string() });
        }
        error!("error: {reason}");
    }
}

fn report_renamed(photos: &[Photo], names: &OutputNames) {
    for &index in names.renamed.iter().take(MAX_RENAMED) {
        let [photo, base] = [photos[index].source.name(), &names.bases[index]].map(Path::display);
        info!("{photo}: results are named {base}-..., because other names are in use");
    }
    if names.renamed.len() > MAX_RENAMED {
        info!("and {} more with renamed results", names.renamed.len() - MAX_RENAMED);
    }
}

/// Ages each photo, continues after failures, and skips photos that are up to date.
fn age_all(
    aging: &Aging,
    listing: &Listing,
    names: &OutputNames,
    mut log: ResumeLog,
    arguments: &AgeArguments,
) -> Result<()> {
    let is_one = listing.photos.len() == 1 && listing.photos[0].given == Given::ByName && listing.unreadable.is_empty();
    let mut summary = Summary::new(listing);
    let progress = Progress::new("ageing photos");
    for (index, (photo, base)) in listing.photos.iter().zip(&names.bases).enumerate() {
        progress.show(index, listing.photos.len());
        match age(aging, photo, base, &mut log, arguments) {
            Ok(Some(aged)) => {
                summary.aged += 1;
                summary.replaced += aged.replaced;
                print_aged(&aged, arguments);
            }
            Ok(None) => summary.aged_before += 1,
            Err(error) => {
                summary.failed += 1;
                if arguments.json {
                    print_json(&AgeResult::Failed { path: photo.source.path().into(), error: in_one_line(&error) });
                }
                if is_one {
                    return Err(error);
                }
                print_error(&error);
            }
        }
    }
    progress.finish();
    summary.report_replaced();
    if is_one {
        return Ok(());
    }
    if arguments.json {
        print_json(&AgeResult::Summary { summary: &summary });
    }
    info!("{summary}");
    summary.result()
}

/// Ages a photo; none if its results are up to date.
fn age(
    aging: &Aging,
    photo: &Photo,
    base: &Path,
    log: &mut ResumeLog,
    arguments: &AgeArguments,
) -> Result<Option<AgedPhoto>> {
    let bytes = photo.source.read()?;
    let id = PhotoId { path: photo.location.as_path().into(), content: Content::of(&bytes) };
    if photo.given == Given::InFolder && !arguments.reprocess && log.has(&id, base, &aging.request) {
        return Ok(None);
    }
    let aged = aging.age(&Job { id: &id, source: &photo.source, bytes: &bytes, base }, log)?;
    log.note(aged.record.clone())?;
    Ok(Some(aged))
}

/// Prints the written files, or all results as JSON.
fn print_aged(aged: &AgedPhoto, arguments: &AgeArguments) {
    match arguments.json {
        true => print_json(&AgeResult::Aged(aged)),
        false => aged.files.iter().for_each(|file| print_path(file.as_path())),
    }
}

/// Prints a line of `--json`.
fn print_json(result: &AgeResult<'_>) {
    print_line(&serde_json::to_string(result).expect("plain data turn into JSON"));
}
