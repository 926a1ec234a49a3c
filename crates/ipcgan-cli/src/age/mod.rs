//! `ipcgan age`: photos in, the faces at other ages out.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::data::alignment::aligned;
use ipcgan::data::detection::{FaceDetector, MtcnnDetector, MtcnnSettings};
use ipcgan::train::aged_sheet;
use ipcgan::{AgeGroups, FaceAging, RgbImage, face_detector, photo};

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
    let detector = (!arguments.aligned).then(|| face_detector(MtcnnSettings::default(), &device));
    let aging = Aging { face_aging, detector, wanted, out: &arguments.out };
    if let [photo] = &arguments.photos[..] {
        return aging.age(photo);
    }
    let mut failed = 0;
    for photo in &arguments.photos {
        if let Err(error) = aging.age(photo) {
            failed += 1;
            report(&format!("error: {error:#}"));
        }
    }
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} of {} photos could not be aged", arguments.photos.len()),
    }
}

/// What is the same for all photos.
struct Aging<'a> {
    face_aging: FaceAging,
    /// None if photos are face crops already.
    detector: Option<MtcnnDetector>,
    /// Names of the groups to show.
    wanted: Vec<String>,
    out: &'a Path,
}

impl Aging<'_> {
    /// Writes each face in the photo at `path` at the ages of the wanted groups, and a strip of all.
    fn age(&self, path: &Path) -> Result<()> {
        let photo = photo::read(path)?;
        let stem = stem(path);
        let Some(detector) = &self.detector else {
            return self.age_face(&photo, &stem);
        };
        let mut found = detector.detect(&photo);
        // As people would number them.
        found.sort_by(|a, b| a.bounds.left.total_cmp(&b.bounds.left));
        let aligned = found.iter().filter_map(|face| aligned(&photo, &face.landmarks, self.face_aging.image_size()));
        let faces: Vec<RgbImage> = aligned.map(|face| face.picture).collect();
        match &faces[..] {
            [] => bail!("no face found in {}; if it is a face crop already, give --aligned", path.display()),
            [face] => self.age_face(face, &stem),
            faces => {
                report(&format!("{}: {} faces, numbered from left to right", path.display(), faces.len()));
                let mut numbered = (1..).zip(faces);
                numbered.try_for_each(|(number, face)| self.age_face(face, &format!("{stem}-face{number}")))
            }
        }
    }

    /// The same for one face, with files called `name`.
    fn age_face(&self, face: &RgbImage, name: &str) -> Result<()> {
        let face = self.face_aging.source(face);
        let mut strip = vec![face.clone()];
        for (group, aged) in self.face_aging.at_every_age(&face) {
            if self.wanted.contains(&group) {
                write(&self.out.join(format!("{name}-{group}.png")), &aged)?;
                strip.push(aged);
            }
        }
        write(&self.out.join(format!("{name}-strip.png")), &aged_sheet(&[strip], &self.wanted))
    }
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
