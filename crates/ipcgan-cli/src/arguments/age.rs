//! Arguments of `ipcgan age`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use ipcgan::data::Residual;

use super::device::DeviceArgument;
use super::weights::WeightsArgument;
use crate::age::{AgeRequest, FaceSelection, OutputFormat, OutputKind, Report, Sequence, strength};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan age photo.jpg                          the photo at every age group, and a contact sheet of the face
  ipcgan age party.jpg --to 51+ --face largest  only the largest face, in the whole photo
  ipcgan age photo.jpg --to 35,45 --strength 1.3
  ipcgan age photo.jpg --animate                also a GIF through all ages and back
  ipcgan age holidays --out older --to 51+      all photos of a folder; a second run ages only new photos
  ipcgan age clip.mp4 --to 60                   a video, with its sound; needs ffmpeg
  ipcgan age frames --video --to 51+            video frames that are photos, with temporal smoothing
  ipcgan age - --to 60 --out aged < photo.jpg   a photo from standard input
  ipcgan age photo.jpg --json                   face locations and output files as JSON
  ipcgan age face.png --aligned --weights run/weights/generator.safetensors")]
pub(crate) struct AgeArguments {
    /// Photos (JPEG, PNG, WebP, AVIF, TIFF, GIF or BMP), folders of photos, videos (.mp4, .mov, .webm, .mkv, .avi;
    /// ffmpeg must be installed), or `-` for a photo from standard input.
    #[arg(required = true, value_name = "PHOTO|FOLDER|VIDEO|-")]
    photos: Vec<PathBuf>,
    /// Target ages, separated by commas: `all` groups, groups by name (31-40, 51+), or years (45), from the first age
    /// of the youngest group to 120.
    #[arg(long, default_value = "all", value_name = "AGES", value_delimiter = ',')]
    to: Vec<String>,
    /// Which face to age: `all`, the `largest`, or one by number, counted from left to right.
    #[arg(long, default_value = "all", value_name = "WHICH")]
    face: FaceSelection,
    /// Strength of the ageing effect: 0 is none, 1 is what the network learned.
    #[arg(long, default_value_t = Residual::DEFAULT_STRENGTH, value_name = "TIMES", value_parser = strength)]
    strength: f32,
    /// Output folder; created if it does not exist. Existing files are never overwritten, except results of the same
    /// photo.
    #[arg(long, default_value = "aged", value_name = "DIR")]
    out: PathBuf,
    /// File format of the results: `same` as the photo (png where that cannot be written), png (lossless), webp
    /// (lossless, 8 bits) or jpg (smaller, lossy).
    #[arg(long, default_value_t = OutputFormat::Same, value_name = "FORMAT", value_parser = OutputFormat::from_str)]
    format: OutputFormat,
    /// Write only the aligned face crops, at the size of the network, instead of whole photos.
    #[arg(long)]
    crops: bool,
    /// Also write an animated GIF through all ages and back.
    #[arg(long)]
    animate: bool,
    /// Treat the photos as frames of a video, in natural order of their names (f2 before f10): faces are tracked, and
    /// landmarks and residuals are smoothed over time.
    #[arg(long, conflicts_with_all = ["aligned", "reprocess", "animate", "crops", "json"])]
    video: bool,
    /// Print results as JSON, one line per photo, and a summary if there are several photos.
    #[arg(long)]
    json: bool,
    /// Age photos of a folder again even if their results are up to date.
    #[arg(long)]
    reprocess: bool,
    /// The photo is an aligned face crop of any size: eyes at 0.30 and 0.68 of the width and 0.30 of the height,
    /// mouth at 0.70. Whole photos with a small face are rejected.
    #[arg(long)]
    aligned: bool,
    #[command(flatten)]
    weights: WeightsArgument,
    #[command(flatten)]
    device: DeviceArgument,
}

impl AgeArguments {
    pub(crate) fn request(self) -> AgeRequest {
        let shown = match (self.aligned, self.crops) {
            (true, _) => OutputKind::Aligned,
            (_, true) => OutputKind::Crops,
            _ => OutputKind::Photo,
        };
        AgeRequest {
            photos: self.photos,
            ages: self.to,
            face: self.face,
            strength: self.strength,
            out: self.out,
            format: self.format,
            shown,
            animate: self.animate,
            sequence: if self.video { Sequence::Video } else { Sequence::Photos },
            report: if self.json { Report::Json } else { Report::Files },
            reprocess: self.reprocess,
            weights: self.weights.weights,
            device: self.device.choice(),
        }
    }
}
