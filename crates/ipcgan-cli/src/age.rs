//! `ipcgan age`: photos in, the faces at other ages out.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::train::aged_sheet;
use ipcgan::{AgeGroups, FaceAging, RgbImage, photo};

use crate::arguments::AgeArguments;
use crate::{answer, devices, report};

pub(crate) fn run(arguments: &AgeArguments) -> Result<()> {
    check_names(&arguments.photos)?;
    let device = devices::open(&arguments.device)?;
    let face_aging = match &arguments.weights {
        Some(path) => FaceAging::load(path, &device)?,
        None => FaceAging::embedded(&device)?,
    };
    let wanted = wanted_groups(&arguments.to, face_aging.age_groups())?;
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make the folder {}", arguments.out.display()))?;
    if !arguments.aligned {
        report("taking the centre of each photo as the face; give --aligned for face crops");
    }
    if let [photo] = &arguments.photos[..] {
        return age(photo, &wanted, &face_aging, &arguments.out);
    }
    let mut failed = 0;
    for photo in &arguments.photos {
        if let Err(error) = age(photo, &wanted, &face_aging, &arguments.out) {
            failed += 1;
            report(&format!("error: {error:#}"));
        }
    }
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} of {} photos could not be aged", arguments.photos.len()),
    }
}

/// Writes the face in the photo at `path` at the ages of `wanted` groups, and a strip of all.
fn age(path: &Path, wanted: &[String], face_aging: &FaceAging, out: &Path) -> Result<()> {
    let face = face_aging.source(&photo::read(path)?);
    let stem = stem(path);
    let mut strip = vec![face.clone()];
    for (group, aged) in face_aging.at_every_age(&face) {
        if wanted.contains(&group) {
            write(&out.join(format!("{stem}-{group}.png")), &aged)?;
            strip.push(aged);
        }
    }
    write(&out.join(format!("{stem}-strip.png")), &aged_sheet(&[strip], wanted))
}

fn write(path: &Path, picture: &RgbImage) -> Result<()> {
    photo::write_png(path, picture)?;
    answer(&path.display().to_string());
    Ok(())
}

/// Names of the groups that `to` asks for.
fn wanted_groups(to: &str, groups: &AgeGroups) -> Result<Vec<String>> {
    let names = groups.names();
    match to {
        "all" => Ok(names),
        to if names.iter().any(|name| name == to) => Ok(vec![to.into()]),
        to => bail!("these weights know no age group `{to}`; --to takes all or one of {}", names.join(", ")),
    }
}

/// Two photos of one name would write over one another's pictures.
fn check_names(photos: &[PathBuf]) -> Result<()> {
    let mut seen = HashSet::new();
    match photos.iter().map(|path| stem(path)).find(|stem| !seen.insert(stem.clone())) {
        None => Ok(()),
        Some(stem) => bail!("two photos are called `{stem}`; age them into different folders"),
    }
}

/// The file's name without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
