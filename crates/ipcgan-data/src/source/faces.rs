//! The faces of a data set, detected and aligned on demand.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use image::RgbImage;
use ipcgan_system::catch_device_panic;

use super::SourceImage;
use super::face_quality::{FaceQuality, sharpness, yaw};
use crate::alignment::aligned;
use crate::detection::{DetectedFace, FaceDetector};
use crate::excluded::{Excluded, Fault};
use crate::{DataError, FaceLabel, FaceSet, photo};

/// Maximum number of pixels in memory at a time, over all threads; a single larger image is allowed.
const PIXELS_AT_A_TIME: u64 = 100_000_000;

/// Side of the blank photo on which a detector is tested that failed on an image: large enough for its largest input.
const TEST_PHOTO_SIDE: u32 = 1000;

/// How faces are extracted from images.
pub enum FaceExtraction {
    /// Detect the face and align it by its landmarks.
    Detect {
        /// The detector.
        detector: Box<dyn FaceDetector>,
        /// Minimum side of the square around the face, in pixels of the image.
        min_side: u32,
        /// Further requirements.
        quality: FaceQuality,
    },
    /// The image is an aligned face already.
    Aligned,
}

/// The faces of a data set.
pub struct SourceFaces {
    folder: PathBuf,
    faces: Vec<(String, FaceLabel)>,
    extraction: FaceExtraction,
    size: u32,
    pixels: Pixels,
}

impl SourceFaces {
    /// The usable images of `images`, in the folder `folder`, as faces of `size` x `size` pixels; and the excluded
    /// ones.
    pub fn new(
        folder: &Path,
        images: Vec<SourceImage>,
        extraction: FaceExtraction,
        size: u32,
    ) -> (Self, Vec<Excluded>) {
        let mut seen = HashSet::new();
        let mut faces = Vec::new();
        let mut excluded = Vec::new();
        for SourceImage { file_name, line, label } in images {
            let label = label.and_then(|label| match seen.insert(file_name.clone()) {
                true => Ok(label),
                false => Err(Fault::label("is named by an earlier line already")),
            });
            match label {
                Ok(label) => faces.push((file_name, label)),
                Err(fault) => excluded.push(Excluded { path: file_name.into(), line, fault }),
            }
        }
        let pixels = Pixels { free: Mutex::new(PIXELS_AT_A_TIME), freed: Condvar::new() };
        (Self { folder: folder.into(), faces, extraction, size, pixels }, excluded)
    }
}

impl FaceSet for SourceFaces {
    fn len(&self) -> usize {
        self.faces.len()
    }

    fn label(&self, index: usize) -> &FaceLabel {
        &self.faces[index].1
    }

    fn name(&self, index: usize) -> String {
        self.faces[index].0.clone()
    }

    /// The labelled face of the image: of several, the large one near the centre.
    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let path = self.folder.join(&self.faces[index].0);
        let _taken = self.pixels.take(photo::pixels(&path)?);
        let photo = photo::read(&path)?;
        let FaceExtraction::Detect { detector, min_side, quality } = &self.extraction else {
            return Ok(photo::resized(&photo::centred_square(&photo), self.size));
        };
        // Devices report failures by panics.
        let found = catch_device_panic(|| detector.detect(&photo))
            .map_err(|reason| detection_error(detector.as_ref(), path.clone(), reason))?;
        let face = found.iter().max_by(|a, b| prominence(a, &photo).total_cmp(&prominence(b, &photo)));
        let face = face.and_then(|face| Some((aligned(&photo, &face.landmarks, self.size)?, yaw(&face.landmarks))));
        let (face, yaw) = face.ok_or_else(|| DataError::NoFaceFound { path: path.clone() })?;
        let side = (self.size as f32 / face.placement.from_photo.scale()) as u32;
        if side < *min_side {
            return Err(DataError::FaceTooSmall { path, side, min: *min_side });
        }
        if let Some(max) = quality.max_yaw.filter(|max| yaw > *max) {
            return Err(DataError::FaceTurned { path, yaw, max });
        }
        let sharpness = || sharpness(&face.image);
        if let Some((sharpness, min)) =
            quality.min_sharpness.map(|min| (sharpness(), min)).filter(|(found, min)| found < min)
        {
            return Err(DataError::FaceBlurred { path, sharpness, min });
        }
        Ok(face.image)
    }

    fn source_checksum(&self, index: usize) -> Option<u32> {
        checksum(&self.folder.join(&self.faces[index].0)).ok()
    }
}

/// The error of `detector`, which failed on the photo `path` for `reason`: of the photo alone if a blank one works.
fn detection_error(detector: &dyn FaceDetector, path: PathBuf, reason: String) -> DataError {
    let blank = RgbImage::new(TEST_PHOTO_SIDE, TEST_PHOTO_SIDE);
    match catch_device_panic(|| detector.detect(&blank)) {
        Ok(_) => DataError::ImageFailed { path, reason },
        Err(_) => DataError::DetectorFailed { path, reason },
    }
}

/// Number of bytes in each part of a file that the checksum covers.
const CHECKED_PART: u64 = 64 << 10;

/// A checksum of a file's length, beginning, middle and end. It distinguishes different images without reading all of a
/// data set of 100 GB.
fn checksum(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut sum = crc32c::crc32c(&length.to_le_bytes());
    let mut part = Vec::new();
    for start in [0, length / 2, length.saturating_sub(CHECKED_PART)] {
        part.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(CHECKED_PART).read_to_end(&mut part)?;
        sum = crc32c::crc32c_append(sum, &part);
    }
    Ok(sum)
}

/// Score that selects the main face of an image: its area, reduced by its distance from the centre.
fn prominence(face: &DetectedFace, photo: &RgbImage) -> f32 {
    let bounds = &face.bounds;
    let right = (bounds.left + bounds.right - photo.width() as f32) / 2.0;
    let down = (bounds.top + bounds.bottom - photo.height() as f32) / 2.0;
    bounds.width() * bounds.height() - 2.0 * (right * right + down * down)
}

/// Budget of pixels in memory.
struct Pixels {
    free: Mutex<u64>,
    freed: Condvar,
}

/// Reserved pixels, released on drop.
struct Taken<'a> {
    pixels: &'a Pixels,
    count: u64,
}

impl Pixels {
    /// Blocks until `count` pixels are free; an image above the whole budget blocks until it is alone.
    fn take(&self, count: u64) -> Taken<'_> {
        let count = count.min(PIXELS_AT_A_TIME);
        let free = self.free.lock().expect("no holder panics");
        let mut free = self.freed.wait_while(free, |free| *free < count).expect("no holder panics");
        *free -= count;
        Taken { pixels: self, count }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.pixels.free.lock().expect("no holder panics") += self.count;
        self.pixels.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::alignment::TEMPLATE;
    use crate::detection::BoundingBox;
    use crate::excluded::Cause;
    use crate::preparation::{PreparationConfig, PrepareOptions, prepare};

    /// Detects a face of `side` pixels in the upper left corner and, in wide images, one in the centre.
    struct Corner {
        side: f32,
    }

    impl FaceDetector for Corner {
        fn detect(&self, photo: &RgbImage) -> Vec<DetectedFace> {
            let face = |left: f32, top: f32| DetectedFace {
                bounds: BoundingBox { left, top, right: left + self.side, bottom: top + self.side },
                score: 1.0,
                landmarks: TEMPLATE.map(|[x, y]| [left + self.side * x, top + self.side * y]),
            };
            let middle = (photo.width() as f32 - self.side) / 2.0;
            [(0.0, 0.0), (middle, middle)]
                .into_iter()
                .take(photo.width() as usize / 20)
                .map(|(x, y)| face(x, y))
                .collect()
        }
    }

    fn faces(side: u32, detected: f32) -> (tempfile::TempDir, SourceFaces) {
        faces_of_quality(side, detected, FaceQuality::default())
    }

    /// A detector on a lost device.
    struct Lost;

    impl FaceDetector for Lost {
        fn detect(&self, _: &RgbImage) -> Vec<DetectedFace> {
            panic!("the device is lost")
        }
    }

    /// A detector that fails on photos of this width.
    struct FailsAtWidth(u32);

    impl FaceDetector for FailsAtWidth {
        fn detect(&self, photo: &RgbImage) -> Vec<DetectedFace> {
            assert!(photo.width() != self.0, "a side is odd");
            Corner { side: 20.0 }.detect(photo)
        }
    }

    fn faces_of_quality(side: u32, detected: f32, quality: FaceQuality) -> (tempfile::TempDir, SourceFaces) {
        faces_of_detector(Box::new(Corner { side: detected }), side, quality)
    }

    fn faces_of_detector(
        detector: Box<dyn FaceDetector>,
        side: u32,
        quality: FaceQuality,
    ) -> (tempfile::TempDir, SourceFaces) {
        let folder = tempfile::tempdir().unwrap();
        let photo = RgbImage::from_fn(side, side, |x, _| if x < side / 3 { Rgb([10; 3]) } else { Rgb([200; 3]) });
        photo::write_png(&folder.path().join("a.png"), &photo).unwrap();
        let image = SourceImage::of_file("a.png", Ok(FaceLabel::default()));
        let extraction = FaceExtraction::Detect { detector, min_side: 10, quality };
        let faces = SourceFaces::new(folder.path(), vec![image], extraction, 16).0;
        (folder, faces)
    }

    #[test]
    fn the_central_one_of_several_faces_is_selected() {
        let (_folder, faces) = faces(60, 20.0);

        assert_eq!(*faces.image(0).unwrap().get_pixel(8, 8), Rgb([200; 3]));
    }

    #[test]
    fn images_without_a_face_or_with_a_small_one_are_excluded_with_causes() {
        let cause = |side, detected| Fault::of(&faces(side, detected).1.image(0).unwrap_err()).cause;

        assert_eq!(cause(10, 10.0), Cause::NoFace);
        assert_eq!(cause(60, 9.0), Cause::SmallFace);
    }

    #[test]
    fn blurred_and_turned_faces_are_excluded_on_request() {
        let cause = |quality| {
            let (_folder, faces) = faces_of_quality(60, 20.0, quality);
            faces.image(0).err().map(|error| Fault::of(&error).cause)
        };

        assert_eq!(cause(FaceQuality { min_sharpness: Some(1e6), ..FaceQuality::default() }), Some(Cause::Blurred));
        assert_eq!(cause(FaceQuality { max_yaw: Some(0.0), ..FaceQuality::default() }), Some(Cause::Turned));
        assert_eq!(cause(FaceQuality { min_sharpness: Some(0.0), max_yaw: Some(0.5) }), None);
    }

    #[test]
    fn an_image_on_which_a_working_detector_fails_is_excluded_and_the_others_are_prepared() {
        let [folder, out] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let photos = [("a.png", 60), ("b.png", 61), ("c.png", 62)];
        for (name, side) in photos {
            let photo = RgbImage::from_pixel(side, side, Rgb([200; 3]));
            photo::write_png(&folder.path().join(name), &photo).unwrap();
        }
        let images = photos.map(|(name, _)| SourceImage::of_file(name, Ok(FaceLabel::default())));
        let detector = Box::new(FailsAtWidth(61));
        let extraction = FaceExtraction::Detect { detector, min_side: 10, quality: FaceQuality::default() };
        let (faces, _) = SourceFaces::new(folder.path(), images.into(), extraction, 32);
        let config = PreparationConfig::new("folder".into()).with_size(32);

        let prepared = prepare(&faces, Vec::new(), out.path(), &config, &PrepareOptions::default()).unwrap().unwrap();

        let names: Vec<_> = prepared.faces.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["images/a.png.png", "images/c.png.png"]);
        assert_eq!(prepared.excluded.len(), 1);
        assert_eq!(prepared.excluded[0].fault.cause, Cause::Failed);
        assert_eq!(prepared.excluded[0].to_string(), "b.png: the preparation failed: a side is odd");
    }

    #[test]
    fn a_failure_of_the_detector_ends_the_preparation_and_excludes_no_image() {
        let (_folder, faces) = faces_of_detector(Box::new(Lost), 60, FaceQuality::default());
        let out = tempfile::tempdir().unwrap();
        let config = PreparationConfig::new("folder".into()).with_size(32);

        let error = prepare(&faces, Vec::new(), out.path(), &config, &PrepareOptions::default()).err().unwrap();

        assert!(matches!(error, DataError::DetectorFailed { .. }), "{error}");
        assert!(error.to_string().ends_with("a.png: the device is lost"), "{error}");
        assert!(!out.path().join("metadata.csv").exists());
    }

    #[test]
    fn images_of_one_name_and_length_are_distinguished_by_checksum() {
        let (folder, faces) = faces(60, 20.0);
        let path = folder.path().join("a.png");
        let first = faces.source_checksum(0);
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(faces.source_checksum(0), first);

        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();

        assert_ne!(faces.source_checksum(0), first);
        std::fs::remove_file(path).unwrap();
        assert_eq!(faces.source_checksum(0), None);
    }

    #[test]
    fn images_wait_until_their_pixels_fit_the_memory_budget() {
        let (_folder, faces) = faces(8, 8.0);
        let all = faces.pixels.take(u64::MAX);

        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(faces.pixels.take(1)));
            assert!(!waiting.is_finished());
            drop(all);
        });

        assert_eq!(*faces.pixels.free.lock().unwrap(), PIXELS_AT_A_TIME);
    }
}
