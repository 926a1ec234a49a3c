//! `ipcgan age`: photos in, the people in them at other ages out.

mod animation;
mod finished;
mod one;
mod photos;
mod video;
mod wishes;

use std::fs;

use anyhow::{Context, Result, bail};
use ipcgan::PhotoAging;
use serde_json::{Value, json};

use crate::arguments::AgeArguments;
use crate::progress::Progress;
use crate::weights::face_aging;
use crate::{answer, complain, detail, devices, report};
use finished::Finished;
use one::Aging;
use photos::Photo;
pub(crate) use wishes::Faces;

pub(crate) fn run(arguments: &AgeArguments) -> Result<()> {
    let photos = photos::listed(&arguments.photos, &arguments.out)?;
    let device = devices::open(&arguments.device)?;
    let face_aging = face_aging(arguments.weights.as_deref(), &device)?;
    detail("weights are read");
    let ages = wishes::ages(&arguments.to, face_aging.age_groups())?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder {}", arguments.out.display()))?;
    let originals = photos.iter().filter_map(|photo| fs::canonicalize(&photo.path).ok()).collect();
    let aging = Aging { aging: PhotoAging::new(face_aging, &device), ages, arguments, originals };
    if arguments.video {
        return video::run(&aging, &photos);
    }
    match &photos[..] {
        [photo] if !arguments.photos[0].is_dir() => aging.age(photo).map(|said| tell(arguments, &said)),
        photos => age_many(&aging, photos),
    }
}

/// Ages each photo, goes on after one that fails, and leaves out what an earlier command did.
fn age_many(aging: &Aging<'_>, photos: &[Photo]) -> Result<()> {
    let arguments = aging.arguments;
    // Photos by name are few, and whoever names one wants it done.
    let folder = arguments.photos.iter().any(|path| path.is_dir());
    let finished = match folder {
        true => Some(Finished::open(&arguments.out, &asked(aging)?, arguments.again)?),
        false => None,
    };
    let progress = Progress::new("ageing photos");
    let (mut failed, mut left_out) = (0, 0);
    for (index, photo) in photos.iter().enumerate() {
        progress.show(index, photos.len());
        if finished.as_ref().is_some_and(|finished| finished.has(&photo.path)) {
            left_out += 1;
            continue;
        }
        match aging.age(photo) {
            Ok(said) => {
                tell(arguments, &said);
                finished.as_ref().map_or(Ok(()), |finished| finished.note(&said))?;
            }
            Err(error) => {
                failed += 1;
                if arguments.json {
                    answer(&json!({ "photo": photo.path, "error": format!("{error:#}") }).to_string());
                }
                complain(&format!("error: {error:#}"));
            }
        }
    }
    progress.finish();
    if left_out > 0 {
        report(&format!("{left_out} of {} photos were aged before; --again does them once more", photos.len()));
    }
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} of {} photos could not be aged", photos.len()),
    }
}

/// All that decides what the pictures look like.
fn asked(aging: &Aging<'_>) -> Result<Value> {
    let arguments = aging.arguments;
    let weights = match &arguments.weights {
        None => json!(concat!("ipcgan ", env!("CARGO_PKG_VERSION"))),
        Some(path) => {
            let path = crate::weights::file(path)?;
            json!({ "path": path, "changed": fs::metadata(&path)?.modified()?.duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64 })
        }
    };
    let ages: Vec<&str> = aging.ages.iter().map(|age| age.name.as_str()).collect();
    Ok(json!({
        "weights": weights, "ages": ages, "face": format!("{:?}", arguments.face), "strength": arguments.strength,
        "format": arguments.format.name(), "aligned": arguments.aligned, "crops": arguments.crops, "animate": arguments.animate,
    }))
}

/// Says what became of a photo: the files that were written, or all that is known.
fn tell(arguments: &AgeArguments, said: &Value) {
    if arguments.json {
        return answer(&said.to_string());
    }
    let files = said["files"].as_array().into_iter().flatten().filter_map(Value::as_str);
    files.for_each(answer);
}
