//! Locates the evaluation networks.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use ipcgan::Device;
use ipcgan::train::evaluation::Judges;

#[cfg(not(feature = "judges"))]
use crate::recogniser::search_folders;

/// Environment variable with their folder.
const VARIABLE: &str = "IPCGAN_JUDGES";
/// Their folder in a clone of the repository.
const IN_CLONE: &str = "assets/judges";

/// Location of the evaluation networks.
#[derive(Debug)]
pub(crate) enum JudgesSource {
    Folder(PathBuf),
    #[cfg(feature = "judges")]
    Program,
}

impl JudgesSource {
    /// The folder `named`; else that of the variable `IPCGAN_JUDGES`; else those built into the program, if they are;
    /// else the first folder that contains their files: beside the program, where packages install them, in the working
    /// directory, or in the clone it was built from.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self> {
        let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(folder) = named.map(Path::to_path_buf).or(variable) {
            return match missing(&folder) {
                None => Ok(Self::Folder(folder)),
                Some(file) => bail!("{} does not exist; {}", file.display(), judges_advice()),
            };
        }
        #[cfg(feature = "judges")]
        return Ok(Self::Program);
        #[cfg(not(feature = "judges"))]
        let folders = search_folders("judges", IN_CLONE);
        #[cfg(not(feature = "judges"))]
        match folders.iter().find(|folder| missing(folder).is_none()) {
            Some(folder) => Ok(Self::Folder(folder.clone())),
            None => {
                let looked: Vec<_> = folders.iter().take(3).map(|folder| folder.display().to_string()).collect();
                bail!(
                    "the evaluation networks were not found in {} or elsewhere; {}",
                    looked.join(", "),
                    judges_advice()
                )
            }
        }
    }

    /// Loads the networks.
    pub(crate) fn load(&self, device: &Device) -> Result<Judges> {
        Ok(match self {
            Self::Folder(folder) => Judges::load(folder, device)?,
            #[cfg(feature = "judges")]
            Self::Program => {
                let named =
                    |bytes: &[u8], name: &str| (bytes.to_vec(), PathBuf::from(format!("{name} in the program")));
                let [recogniser, estimator] = Judges::FILES;
                Judges::of_files(
                    named(include_bytes!("../../../assets/judges/faceres.safetensors"), recogniser),
                    named(include_bytes!("../../../assets/judges/age_estimator.safetensors"), estimator),
                    device,
                )?
            }
        })
    }
}

/// Advice on how to make them available.
fn judges_advice() -> String {
    let [recogniser, estimator] = Judges::FILES;
    format!(
        "{recogniser} and {estimator} are in {IN_CLONE} of the source code: pass that folder with --judges or \
         {VARIABLE}, copy it to `judges` beside the program, or build with `--features judges` to embed them"
    )
}

/// The first file that is missing in `folder`.
fn missing(folder: &Path) -> Option<PathBuf> {
    Judges::FILES.into_iter().map(|name| folder.join(name)).find(|file| !file.is_file())
}
