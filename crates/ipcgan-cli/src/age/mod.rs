//! `ipcgan age`: ages the people in photos and videos.
//!
//! In order of execution: [`listing`] finds the photos, [`selection`] parses ages and faces, [`output_names`] names all
//! results before anything is written, [`photo`] ages one photo after the other and writes its [`results`], [`video`] a
//! video file, and [`resume_log`] records what is done.

mod aging;
mod animation;
mod listing;
mod natural_order;
mod output_format;
mod output_names;
mod photo;
mod request;
mod result_settings;
mod results;
mod resume_log;
mod selection;
mod skipped;
mod source;
mod suffixes;
mod summary;
mod video;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use ipcgan::PhotoAging;
use ipcgan::system::{JsonPath, catch_device_panic};
use log::{debug, error, info, warn};

use crate::advice::error_of_panic;
use crate::devices;
use crate::exit_reason::ExitReason;
use crate::output::{print_error, print_line, print_path, with_causes_and_advice};
use crate::progress::Progress;
use crate::weights::face_aging;
use aging::Aging;
use listing::{Given, Listing, Photo, Unreadable};
pub(crate) use output_format::OutputFormat;
use output_names::{NameConflict, OutputNames};
use photo::{AgeResult, AgedPhoto};
pub(crate) use request::{AgeRequest, OutputKind, Report, Sequence};
use result_settings::ResultSettings;
use results::Job;
use resume_log::{PhotoId, ResumeLog};
pub(crate) use selection::{Age, FaceSelection, face_area, strength};
use source::Content;
use suffixes::Suffixes;
use summary::Summary;
use video::{AgedClip, ClipAging, Container};

/// Maximum number of renamed results that are listed.
const MAX_RENAMED: usize = 5;

pub(crate) fn run(request: &AgeRequest) -> Result<()> {
    let mut listing = Listing::of(&request.photos, &request.out)?;
    if request.sequence == Sequence::Video {
        listing.sort();
    }
    report_skipped(&listing, request.report);
    let clips = ClipAging::of(request, &listing.photos)?;
    let device = devices::open(&request.device)?;
    let face_aging = face_aging(request.weights.as_deref(), &device)?;
    debug!("loaded weights");
    let (ages, notices) = selection::ages(&request.ages, face_aging.age_groups())?;
    notices.iter().for_each(|notice| info!("{notice}"));
    let weights = request.weights.as_ref().map(|_| face_aging.origin());
    let settings = ResultSettings::new(request, &ages, weights)?;
    fs::create_dir_all(&request.out).with_context(|| format!("cannot create the folder {}", request.out.display()))?;
    let log = ResumeLog::open(&request.out)?;
    let suffixes = Suffixes::new(&ages, &face_aging.age_groups().names(), request.format);
    let clip_paths = listing.photos.iter().filter(|photo| photo.is_clip()).map(|photo| photo.source.path());
    let containers: HashSet<Container> = clip_paths.map(Container::of).collect();
    let suffixes = suffixes.with_clips(&ages, containers);
    let on_conflict = match request.sequence {
        Sequence::Video => NameConflict::Refuse,
        Sequence::Photos => NameConflict::Rename,
    };
    let names = OutputNames::plan(&listing.photos, &request.out, &suffixes, &log, on_conflict)?;
    report_renamed(&listing.photos, &names);
    let aging =
        Aging { photo_aging: PhotoAging::new(face_aging, &device), ages, suffixes, settings, out: request.out.clone() };
    match request.sequence {
        Sequence::Video => video::frames::run(&aging, &listing, &names.bases, log),
        Sequence::Photos => age_all(&MediaAging { photos: aging, clips }, &listing, &names, log, request),
    }
}

fn report_skipped(listing: &Listing, report: Report) {
    if let Some(advice) = listing.advice() {
        warn!("not read: {advice}");
    }
    for Unreadable { path, reason } in &listing.unreadable {
        if report == Report::Json {
            print_json(&AgeResult::Failed { path: path.as_path().into(), error: reason.to_string() });
        }
        error!("{reason}");
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

/// Ages photos and, if there are any, clips.
struct MediaAging {
    photos: Aging,
    clips: Option<ClipAging>,
}

/// A photo or a clip that was aged.
enum Aged {
    Photo(AgedPhoto),
    Clip(AgedClip),
}

/// Ages each photo, continues after failures, and skips photos that are up to date. A signal stops it with a summary.
fn age_all(
    media: &MediaAging,
    listing: &Listing,
    names: &OutputNames,
    log: ResumeLog,
    request: &AgeRequest,
) -> Result<()> {
    let mut summary = Summary::new(listing);
    let ended = age_each(media, listing, names, log, request, &mut summary);
    summary.report_replaced();
    if listing.is_one_named_photo() {
        return ended;
    }
    if request.report == Report::Json {
        print_json(&AgeResult::Summary { summary: &summary });
    }
    info!("{summary}");
    ended.and_then(|()| summary.result())
}

/// Ages each photo, and counts and prints the results.
///
/// # Errors
/// A signal has stopped it, or the only photo that was given failed.
fn age_each(
    media: &MediaAging,
    listing: &Listing,
    names: &OutputNames,
    mut log: ResumeLog,
    request: &AgeRequest,
    summary: &mut Summary,
) -> Result<()> {
    let mut progress = None;
    for (index, (photo, base)) in listing.photos.iter().zip(&names.bases).enumerate() {
        if media.clips.as_ref().is_some_and(ClipAging::is_interrupted) {
            let text = "interrupted; run the command again with the photos and videos that are not aged yet";
            return Err(ExitReason::Stopped(text.into()).into());
        }
        if photo.is_clip() {
            // A clip shows its own progress.
            progress = None;
        } else {
            progress.get_or_insert_with(|| Progress::new("ageing photos")).show(index, listing.photos.len());
        }
        let of_photo = |reason: String| error_of_panic(&format!("{}: {reason}", photo.source.name().display()));
        let aged = catch_device_panic(|| age(media, photo, base, &mut log, request));
        match aged.unwrap_or_else(|reason| Err(of_photo(reason))) {
            Ok(Some(aged)) => {
                print_aged(&aged, request.report);
                summary.replaced += aged.replaced();
                if let Some(reason) = aged.interruption() {
                    return Err(reason.into());
                }
                summary.aged += 1;
            }
            Ok(None) => summary.aged_before += 1,
            Err(error) if matches!(error.downcast_ref(), Some(ExitReason::Stopped(_))) => return Err(error),
            Err(error) => {
                summary.failed += 1;
                if request.report == Report::Json {
                    print_json(&AgeResult::Failed {
                        path: photo.source.path().into(),
                        error: with_causes_and_advice(&error),
                    });
                }
                if listing.is_one_named_photo() {
                    return Err(error);
                }
                print_error(&error);
            }
        }
    }
    Ok(())
}

/// Ages a photo or a clip; none if its results are up to date.
fn age(
    MediaAging { photos: aging, clips }: &MediaAging,
    photo: &Photo,
    base: &Path,
    log: &mut ResumeLog,
    request: &AgeRequest,
) -> Result<Option<Aged>> {
    if let Some(clips) = clips.as_ref().filter(|_| photo.is_clip()) {
        return clips.age(aging, photo, base, log).map(Aged::Clip).map(Some);
    }
    let bytes = photo.source.read()?;
    let id = PhotoId { path: photo.location.as_path().into(), content: Content::of(&bytes) };
    if photo.given == Given::InFolder && !request.reprocess && log.has(&id, base, &aging.settings) {
        return Ok(None);
    }
    let aged = aging.age(&Job { id: &id, source: &photo.source, bytes: &bytes, base }, log)?;
    log.note(aged.record.clone())?;
    Ok(Some(Aged::Photo(aged)))
}

impl Aged {
    fn files(&self) -> &[JsonPath] {
        match self {
            Self::Photo(photo) => &photo.files,
            Self::Clip(clip) => &clip.files,
        }
    }

    /// Why the results are partial; none if they are complete.
    fn interruption(&self) -> Option<ExitReason> {
        match self {
            Self::Photo(_) => None,
            Self::Clip(clip) => clip.interruption(),
        }
    }

    /// Number of replaced results of earlier runs.
    fn replaced(&self) -> usize {
        match self {
            Self::Photo(photo) => photo.replaced,
            Self::Clip(clip) => clip.replaced,
        }
    }
}

/// Prints the written files, or all results as JSON.
fn print_aged(aged: &Aged, report: Report) {
    match (report, aged) {
        (Report::Files, _) => aged.files().iter().for_each(|file| print_path(file.as_path())),
        (Report::Json, Aged::Photo(photo)) => print_json(&AgeResult::Aged(photo)),
        (Report::Json, Aged::Clip(clip)) => print_json(&AgeResult::AgedClip(clip)),
    }
}

/// Prints a line of `--json`.
fn print_json(result: &AgeResult<'_>) {
    print_line(&serde_json::to_string(result).expect("plain data turn into JSON"));
}
