//! The results of one photo: rendered, encoded and written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::photo::{Original, PhotoFormat};
use rayon::prelude::*;

use super::aging::Aging;
use super::resume_log::{PhotoId, ResumeLog, Written};
use super::source::Source;
use super::suffixes::{ANIMATION_SUFFIX, Suffixes};

/// A photo that has been read, with the base name of its results.
pub(crate) struct Job<'a> {
    pub(crate) id: &'a PhotoId,
    pub(crate) source: &'a Source,
    pub(crate) bytes: &'a [u8],
    /// Base name of its results, relative to the output folder.
    pub(crate) base: &'a Path,
}

/// An image of the results, rendered when it is written.
pub(super) struct Output<'a> {
    /// Label of the face in the file name.
    label: &'a str,
    /// Name of the age; none for the contact sheet.
    age: Option<&'a str>,
    render: Box<dyn Fn() -> Original + Send + Sync + 'a>,
}

impl<'a> Output<'a> {
    /// The photo, or the face with this `label`, at `age`.
    pub(super) fn image(label: &'a str, age: &'a str, render: impl Fn() -> Original + Send + Sync + 'a) -> Self {
        Self { label, age: Some(age), render: Box::new(render) }
    }

    /// The contact sheet of the face with this `label`.
    pub(super) fn contact_sheet(label: &'a str, render: impl Fn() -> Original + Send + Sync + 'a) -> Self {
        Self { label, age: None, render: Box::new(render) }
    }
}

/// The results of one photo.
pub(super) struct Results<'a> {
    aging: &'a Aging,
    job: &'a Job<'a>,
    log: &'a mut ResumeLog,
    format: PhotoFormat,
    /// Number of images that are rendered and encoded concurrently.
    concurrency: usize,
    /// Relative to the output folder.
    pub(super) written: Vec<PathBuf>,
    /// The images by age.
    pub(super) by_age: BTreeMap<String, PathBuf>,
    /// Number of replaced results of earlier runs.
    pub(super) replaced: usize,
}

impl<'a> Results<'a> {
    pub(super) fn new(aging: &'a Aging, job: &'a Job<'a>, photo: &Original, log: &'a mut ResumeLog) -> Self {
        /// Maximum memory of all images that are rendered concurrently, each in its own pixel format and converted for
        /// the encoder, in bytes.
        const MAX_BYTES: u64 = 1 << 30;
        let pixels = u64::from(photo.image.width()) * u64::from(photo.image.height());
        let bytes = 2 * pixels * u64::from(photo.image.color().bytes_per_pixel());
        let concurrency = (MAX_BYTES / bytes.max(1)).clamp(1, rayon::current_num_threads() as u64) as usize;
        let format = aging.settings.format.of(photo);
        Self { aging, job, log, format, concurrency, written: Vec::new(), by_age: BTreeMap::new(), replaced: 0 }
    }

    /// Renders and encodes `outputs` in parallel, and writes them in order. Writes the images before the first that
    /// cannot be encoded.
    pub(super) fn write_all(&mut self, outputs: Vec<Output<'_>>) -> Result<()> {
        let source = self.job.source.name();
        for outputs in outputs.chunks(self.concurrency) {
            let encoded: Vec<Result<Vec<u8>>> =
                outputs.par_iter().map(|output| encoded(&(output.render)(), self.format_of(output), source)).collect();
            for (output, bytes) in outputs.iter().zip(encoded) {
                match output.age {
                    Some(age) => self.write_image(output.label, age, &bytes?)?,
                    None => drop(self.write(output.label, &self.aging.suffixes.strip, &bytes?)?),
                }
            }
        }
        Ok(())
    }

    fn format_of(&self, output: &Output<'_>) -> PhotoFormat {
        if output.age.is_some() { self.format } else { PhotoFormat::Png }
    }

    fn write_image(&mut self, label: &str, age: &str, bytes: &[u8]) -> Result<()> {
        let file = self.write(label, &Suffixes::image(age, self.format), bytes)?;
        self.by_age.insert(format!("{label}-{age}").trim_start_matches('-').into(), file);
        Ok(())
    }

    /// Writes an animation.
    pub(super) fn animation(&mut self, label: &str, bytes: &[u8]) -> Result<()> {
        self.write(label, ANIMATION_SUFFIX, bytes).map(drop)
    }

    fn write(&mut self, label: &str, end: &str, bytes: &[u8]) -> Result<PathBuf> {
        let mut name = self.job.base.as_os_str().to_owned();
        name.push(label);
        name.push(end);
        let file = PathBuf::from(name);
        let folder = self.aging.out.join(file.parent().unwrap_or(Path::new("")));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
        self.replaced += usize::from(self.log.write(&file, bytes, self.job.id)? == Written::Replaced);
        self.written.push(file.clone());
        Ok(file)
    }
}

/// The bytes of `image` in `format`; `source` names its photo in errors.
fn encoded(image: &Original, format: PhotoFormat, source: &Path) -> Result<Vec<u8>> {
    let (width, height, max) = (image.image.width(), image.image.height(), format.max_side());
    let name = source.display();
    if width.max(height) > max {
        bail!("{name} has {width} x {height} pixels, and a {format} at most {max} a side; choose another --format");
    }
    image.encoded(format).with_context(|| format!("cannot encode {name}"))
}
