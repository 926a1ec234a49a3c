//! One photo at other ages.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::data::Change;
use ipcgan::photo::{self, Original, PhotoFormat};
use ipcgan::train::aged_sheet;
use ipcgan::{PhotoAging, PhotoFace, RgbImage};
use serde_json::{Map, Value, json};

use super::animation;
use super::photos::Photo;
use super::wishes::Age;
use crate::arguments::AgeArguments;
use crate::{detail, report};

/// What is the same for all photos.
pub(crate) struct Aging<'a> {
    pub(crate) aging: PhotoAging,
    pub(crate) ages: Vec<Age>,
    pub(crate) arguments: &'a AgeArguments,
    /// Where the photos are, as the system knows them.
    pub(crate) originals: HashSet<PathBuf>,
}

/// A face as the generator saw it, and what each age changes in it.
struct AgedFace {
    /// What stands in the names of its files.
    label: String,
    before: RgbImage,
    changes: Vec<Change>,
}

impl Aging<'_> {
    /// Refuses a picture at `path` if one of the photos is there.
    pub(crate) fn check_is_no_photo(&self, path: &Path) -> Result<()> {
        match fs::canonicalize(path).is_ok_and(|path| self.originals.contains(&path)) {
            true => bail!("the photo {} would be written over; give another folder with --out", path.display()),
            false => Ok(()),
        }
    }

    /// Writes the photo with its people at each age, and strips of their faces; says what was found and written.
    pub(crate) fn age(&self, photo: &Photo) -> Result<Value> {
        let original = photo::read_original(&photo.path)?;
        if let Some(warning) = original.warning() {
            report(&format!("{}: {warning}", photo.path.display()));
        }
        let rgb = original.rgb();
        detail(format_args!("{} is read, {} x {}", photo.path.display(), rgb.width(), rgb.height()));
        let mut files = Files::new(self, photo)?;
        let mut said = Map::new();
        said.insert("photo".into(), json!(photo.path));
        said.insert("width".into(), json!(rgb.width()));
        said.insert("height".into(), json!(rgb.height()));
        if self.arguments.aligned {
            let before = self.aging.face_aging().source(&rgb);
            let changes = self.changes(&before);
            let face = AgedFace { label: String::new(), before, changes };
            self.write_faces(&[face], &mut files)?;
        } else {
            let faces = self.faces(&rgb, &photo.path)?;
            said.insert("faces".into(), faces.iter().map(|(number, face)| json!(face.described(*number))).collect());
            self.write_photo(&original, &rgb, &faces, &mut files)?;
        }
        detail(format_args!("aged, and {} files written", files.written.len()));
        said.insert("pictures".into(), Value::Object(files.pictures));
        said.insert("files".into(), json!(files.written));
        Ok(said.into())
    }

    /// The faces that are wanted, with their numbers from left to right.
    fn faces(&self, photo: &RgbImage, path: &Path) -> Result<Vec<(usize, PhotoFace)>> {
        let found = self.aging.faces(photo);
        detail(format_args!("searched for faces: {}", found.len()));
        match found.len() {
            0 => bail!("no face found in {}; if it is a face crop already, give --aligned", path.display()),
            1 => (),
            count => report(&format!("{}: {count} faces, numbered from left to right", path.display())),
        }
        self.arguments.face.of(found).with_context(|| format!("{}", path.display()))
    }

    /// What each age changes in an aligned face.
    pub(crate) fn changes(&self, before: &RgbImage) -> Vec<Change> {
        let blends: Vec<_> = self.ages.iter().map(|age| age.blend.clone()).collect();
        let changes = self.aging.face_aging().at_ages(before, &blends).into_iter();
        changes.map(|after| Change::between(before, &after).scaled(self.arguments.strength)).collect()
    }

    fn write_photo(
        &self,
        original: &Original,
        rgb: &RgbImage,
        faces: &[(usize, PhotoFace)],
        files: &mut Files<'_>,
    ) -> Result<()> {
        let aged: Vec<AgedFace> = faces
            .iter()
            .map(|(number, face)| AgedFace {
                label: if faces.len() > 1 { format!("-face{number}") } else { String::new() },
                before: face.aligned.picture.clone(),
                changes: self.changes(&face.aligned.picture),
            })
            .collect();
        if self.arguments.crops {
            self.write_faces(&aged, files)?;
        } else {
            for (index, age) in self.ages.iter().enumerate() {
                let mut photo = original.clone();
                for ((_, face), aged) in faces.iter().zip(&aged) {
                    face.put_back(&mut photo.picture, &aged.changes[index]);
                }
                files.picture("", &age.name, &photo)?;
            }
            self.write_strips(&aged, files)?;
        }
        if self.arguments.animate && !self.arguments.crops {
            let faces: Vec<&PhotoFace> = faces.iter().map(|(_, face)| face).collect();
            files.animation("", &animation::of_photo(self, rgb, &faces)?)?;
        }
        Ok(())
    }

    /// The faces alone, as large as the generator makes them.
    fn write_faces(&self, faces: &[AgedFace], files: &mut Files<'_>) -> Result<()> {
        for face in faces {
            for (age, change) in self.ages.iter().zip(&face.changes) {
                files.picture(&face.label, &age.name, &change.added_to(&face.before).into())?;
            }
            if self.arguments.animate {
                files.animation(&face.label, &animation::of_face(self, &face.before)?)?;
            }
        }
        self.write_strips(faces, files)
    }

    fn write_strips(&self, faces: &[AgedFace], files: &mut Files<'_>) -> Result<()> {
        let names: Vec<String> = self.ages.iter().map(|age| age.name.clone()).collect();
        for face in faces {
            let aged = face.changes.iter().map(|change| change.added_to(&face.before));
            let strip = std::iter::once(face.before.clone()).chain(aged).collect();
            files.strip(&face.label, aged_sheet(&[strip], &names))?;
        }
        Ok(())
    }
}

/// The files that are written for one photo.
struct Files<'a> {
    /// What all their names begin with.
    start: PathBuf,
    format: PhotoFormat,
    written: Vec<PathBuf>,
    /// Paths by age, and by face where faces are written alone.
    pictures: Map<String, Value>,
    aging: &'a Aging<'a>,
}

impl<'a> Files<'a> {
    fn new(aging: &'a Aging<'a>, photo: &Photo) -> Result<Self> {
        let arguments = aging.arguments;
        let start = arguments.out.join(&photo.name);
        if let Some(folder) = start.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(Self { start, format: arguments.format, written: Vec::new(), pictures: Map::new(), aging })
    }

    fn path(&self, end: &str) -> Result<PathBuf> {
        let mut name = self.start.clone().into_os_string();
        name.push(end);
        let path = PathBuf::from(name);
        self.aging.check_is_no_photo(&path)?;
        Ok(path)
    }

    fn picture(&mut self, label: &str, age: &str, picture: &Original) -> Result<()> {
        let path = self.path(&format!("{label}-{age}.{}", self.format))?;
        picture.write(&path, self.format)?;
        self.pictures.insert(format!("{label}-{age}").trim_start_matches('-').into(), json!(path));
        self.written.push(path);
        Ok(())
    }

    fn strip(&mut self, label: &str, strip: RgbImage) -> Result<()> {
        let path = self.path(&format!("{label}-strip.png"))?;
        photo::write_png(&path, &strip)?;
        self.written.push(path);
        Ok(())
    }

    fn animation(&mut self, label: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(&format!("{label}.gif"))?;
        ipcgan::model::write_whole(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        self.written.push(path);
        Ok(())
    }
}
