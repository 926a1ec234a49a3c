//! Image file formats.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

/// A still image format, readable or not ([`ImageKind::is_readable`]).
///
/// This is the single list of formats and file name extensions. A folder scan calls [`ImageKind::of_path`] for every
/// file: `None` is not an image; an image of an unreadable format is reported as skipped, with its
/// [`ImageKind::advice`].
///
/// # Examples
/// ```
/// use ipcgan_data::photo::ImageKind;
///
/// assert_eq!(ImageKind::of_path("IMG_1.JPG".as_ref()), Some(ImageKind::Jpeg));
/// assert_eq!(ImageKind::of_path("notes.txt".as_ref()), None);
/// let raw = ImageKind::of_path("IMG_2.nef".as_ref()).unwrap();
/// assert!(!raw.is_readable());
/// assert_eq!(raw.to_string(), "camera RAW");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ImageKind {
    /// PNG.
    Png,
    /// JPEG, also several images in one file (MPO), of which the first is used.
    Jpeg,
    /// WebP.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// GIF; the first frame is used.
    Gif,
    /// TIFF; the first page is used.
    Tiff,
    /// AVIF.
    Avif,
    /// HEIC and HEIF, the default of iPhones.
    Heic,
    /// Raw sensor data of cameras: DNG, CR2, CR3, NEF, ARW, ORF, RAF, RW2 and others.
    Raw,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000.
    Jpeg2000,
    /// JPEG XR.
    JpegXr,
    /// Adobe Photoshop.
    Photoshop,
    /// GIMP.
    Gimp,
    /// Portable anymap: PBM, PGM, PPM, PAM.
    Pnm,
    /// OpenEXR.
    OpenExr,
    /// Radiance HDR.
    Radiance,
    /// Truevision Targa.
    Targa,
    /// Quite OK image.
    Qoi,
}

/// The file name extensions of each format, in lower case; the usual one comes first.
const EXTENSIONS: [(ImageKind, &[&str]); 19] = [
    (ImageKind::Png, &["png", "apng"]),
    (ImageKind::Jpeg, &["jpg", "jpeg", "jpe", "jfif", "jif", "jfi", "pjpeg", "pjp", "mpo"]),
    (ImageKind::WebP, &["webp"]),
    (ImageKind::Bmp, &["bmp", "dib"]),
    (ImageKind::Gif, &["gif"]),
    (ImageKind::Tiff, &["tif", "tiff"]),
    (ImageKind::Avif, &["avif", "avifs"]),
    (ImageKind::Heic, &["heic", "heif", "hif", "heics", "heifs"]),
    (
        ImageKind::Raw,
        &[
            "dng", "3fr", "ari", "arw", "bay", "cap", "cr2", "cr3", "crw", "dcr", "erf", "fff", "gpr", "iiq", "k25",
            "kdc", "mef", "mos", "mrw", "nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw",
            "x3f",
        ],
    ),
    (ImageKind::JpegXl, &["jxl"]),
    (ImageKind::Jpeg2000, &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jpm"]),
    (ImageKind::JpegXr, &["jxr", "hdp", "wdp"]),
    (ImageKind::Photoshop, &["psd", "psb"]),
    (ImageKind::Gimp, &["xcf"]),
    (ImageKind::Pnm, &["ppm", "pgm", "pbm", "pnm", "pam"]),
    (ImageKind::OpenExr, &["exr"]),
    (ImageKind::Radiance, &["hdr"]),
    (ImageKind::Targa, &["tga"]),
    (ImageKind::Qoi, &["qoi"]),
];

impl ImageKind {
    /// The format of a file name's extension, case-insensitive; `None` if the extension is not an image's.
    ///
    /// Only the name counts: the path may be a folder, and the content may have another format. The name need not be
    /// UTF-8.
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension().map(OsStr::to_ascii_lowercase)?;
        let found = EXTENSIONS.iter().find(|(_, known)| known.iter().any(|known| OsStr::new(known) == extension));
        found.map(|(kind, _)| *kind)
    }

    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        EXTENSIONS.iter().map(|(kind, _)| *kind)
    }

    /// The formats that this build can decode.
    pub fn readable() -> impl Iterator<Item = Self> {
        Self::all().filter(|kind| kind.is_readable())
    }

    /// The formats that this build can decode, as text: `PNG, JPEG, WebP or BMP`.
    pub fn readable_names() -> String {
        let names: Vec<_> = Self::readable().map(Self::name).collect();
        let (last, others) = names.split_last().expect("some kinds are readable");
        format!("{} or {last}", others.join(", "))
    }

    /// Whether this build can decode it.
    pub fn is_readable(self) -> bool {
        match self {
            Self::Png | Self::Jpeg | Self::WebP | Self::Bmp | Self::Gif | Self::Tiff => true,
            Self::Avif => cfg!(feature = "avif"),
            Self::Heic => cfg!(feature = "heic"),
            _ => false,
        }
    }

    /// The extensions of its file names, in lower case and without a dot; the usual one comes first.
    pub fn extensions(self) -> &'static [&'static str] {
        let found = EXTENSIONS.iter().find(|(kind, _)| *kind == self);
        found.expect("every kind has extensions").1
    }

    /// Its display name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Tiff => "TIFF",
            Self::Avif => "AVIF",
            Self::Heic => "HEIC",
            Self::Raw => "camera RAW",
            Self::JpegXl => "JPEG XL",
            Self::Jpeg2000 => "JPEG 2000",
            Self::JpegXr => "JPEG XR",
            Self::Photoshop => "Photoshop",
            Self::Gimp => "GIMP",
            Self::Pnm => "PNM",
            Self::OpenExr => "OpenEXR",
            Self::Radiance => "Radiance HDR",
            Self::Targa => "TGA",
            Self::Qoi => "QOI",
        }
    }

    /// The indefinite article of its name.
    pub(super) fn article(self) -> &'static str {
        match self {
            Self::Avif | Self::OpenExr => "an",
            _ => "a",
        }
    }

    /// Advice for an image of this format if it cannot be decoded.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Raw => "develop it with the camera's program, darktable or RawTherapee, and export a JPEG or a TIFF",
            Self::Photoshop | Self::Gimp => "export it as PNG or TIFF",
            Self::Heic => {
                "convert it to JPEG (an iPhone takes JPEGs with Settings, Camera, Formats, Most Compatible), or build with \
                 the feature `heic`, which takes libheif"
            }
            Self::Avif => "convert it to PNG or JPEG, or build with the feature `avif`",
            _ => "convert it to PNG or JPEG",
        }
    }
}

impl fmt::Display for ImageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(name: &str) -> Option<ImageKind> {
        ImageKind::of_path(name.as_ref())
    }

    #[test]
    fn the_extension_names_the_kind_in_upper_and_lower_case() {
        assert_eq!(of("a/b.PNG"), Some(ImageKind::Png));
        for jpeg in ["a.jpg", "a.JPEG", "a.jpe", "a.Jfif", "ä b.c.jpg", "25_0_1.jpg.chip.jpg"] {
            assert_eq!(of(jpeg), Some(ImageKind::Jpeg), "{jpeg}");
        }
        assert_eq!(of("a.heif"), Some(ImageKind::Heic));
        assert_eq!(of("a.CR3"), Some(ImageKind::Raw));
    }

    #[test]
    fn other_names_are_no_images() {
        for name in ["", "a", "jpg", ".jpg", "a.jpg.part", "a.jpg~", "a.txt", "a.mov", "a.jpgx", "jpg/a"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_has_a_kind_too() {
        use std::os::unix::ffi::OsStrExt;

        let latin1 = OsStr::from_bytes(b"Andr\xe9.jpg");

        assert_eq!(ImageKind::of_path(latin1.as_ref()), Some(ImageKind::Jpeg));
    }

    #[test]
    fn extensions_are_unique_and_in_lower_case() {
        let mut seen = HashSet::new();
        for kind in ImageKind::all() {
            for extension in kind.extensions() {
                assert!(seen.insert(*extension), "{extension}");
                assert_eq!(*extension, extension.to_lowercase());
            }
        }
    }

    #[test]
    fn the_readable_kinds_are_named_in_one_phrase() {
        let names = ImageKind::readable_names();

        assert!(names.starts_with("PNG, JPEG, WebP"), "{names}");
        assert!(names.contains(" or ") && !names.contains("RAW"), "{names}");
    }
}
