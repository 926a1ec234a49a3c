//! What was aged before, so that a folder is gone on with where it was left.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde_json::Value;

/// Name of the file in the folder of the pictures: a line of what was asked for, then one for each photo that is done.
const NAME: &str = "aged.jsonl";

/// The photos that were aged before in the same way.
#[derive(Debug)]
pub(crate) struct Finished {
    path: PathBuf,
    done: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Finished {
    /// What the file in the folder `out` knows of; nothing if `asked` was something else, or `again` is wanted.
    pub(crate) fn open(out: &Path, asked: &Value, again: bool) -> Result<Self> {
        let path = out.join(NAME);
        let text = match fs::read(&path) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_default());
        if !again && lines.next().as_ref() == Some(asked) {
            // A line that was cut short by an interruption is no photo; the next one must begin on its own.
            if !text.ends_with('\n') {
                append(&path, "\n")?;
            }
            return Ok(Self { path, done: lines.filter_map(|line| photo_of(&line)).collect() });
        }
        ipcgan::model::write_whole(&path, format!("{asked}\n").as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, done: BTreeMap::new() })
    }

    /// Whether all pictures of the photo at `path` are there, and younger than it.
    pub(crate) fn has(&self, path: &Path) -> bool {
        let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let Some(pictures) = self.done.get(path) else { return false };
        let photo: Option<SystemTime> = changed(path);
        pictures.iter().all(|picture| changed(picture).is_some() && changed(picture) >= photo)
    }

    /// Notes that a photo is done: `said` is what is known of it.
    pub(crate) fn note(&self, said: &Value) -> Result<()> {
        append(&self.path, &format!("{said}\n"))
    }
}

fn append(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The photo of a line, and its pictures.
fn photo_of(line: &Value) -> Option<(PathBuf, Vec<PathBuf>)> {
    let path = line.get("photo")?.as_str()?;
    let pictures = line.get("files")?.as_array()?.iter().map(|file| file.as_str().map(PathBuf::from));
    Some((path.into(), pictures.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_photo_is_done_while_its_pictures_are_there_and_the_same_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let [photo, picture] = ["photo.png", "photo-51+.png"].map(|name| folder.path().join(name));
        fs::write(&photo, "").unwrap();
        fs::write(&picture, "").unwrap();
        let asked = json!({ "ages": ["51+"] });
        let open = |asked: &Value, again| Finished::open(folder.path(), asked, again).unwrap();

        let first = open(&asked, false);
        assert!(!first.has(&photo));
        first.note(&json!({ "photo": photo, "files": [picture] })).unwrap();

        assert!(open(&asked, false).has(&photo));
        fs::remove_file(&picture).unwrap();
        assert!(!open(&asked, false).has(&photo));
        fs::write(&picture, "").unwrap();
        assert!(!open(&asked, true).has(&photo), "all is done again");
        open(&asked, false).note(&json!({ "photo": photo, "files": [picture] })).unwrap();
        assert!(!open(&json!({ "ages": ["45"] }), false).has(&photo), "something else was asked");
    }

    #[test]
    fn a_line_that_was_cut_short_is_no_photo() {
        let folder = tempfile::tempdir().unwrap();
        let asked = json!({ "ages": ["51+"] });
        Finished::open(folder.path(), &asked, false).unwrap();
        let path = folder.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"photo\": \"a")).unwrap();

        let first = Finished::open(folder.path(), &asked, false).unwrap();
        assert!(first.done.is_empty());
        first.note(&json!({ "photo": "b", "files": [] })).unwrap();
        assert!(Finished::open(folder.path(), &asked, false).unwrap().has(Path::new("b")));
    }
}
