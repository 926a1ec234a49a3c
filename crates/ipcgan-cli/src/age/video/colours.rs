//! Colours of a clip: conversion between YUV and RGB with the same matrix in both directions.

/// Height from which untagged clips have the matrix of high definition.
const HIGH_DEFINITION: u32 = 720;
/// What ffprobe says of a property that a clip does not tell.
const UNSPECIFIED: [&str; 3] = ["unknown", "reserved", "unspecified"];

/// Colour properties as ffprobe names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) pixel_format: String,
    pub(super) matrix: Option<String>,
    pub(super) primaries: Option<String>,
    pub(super) transfer: Option<String>,
    pub(super) range: Option<String>,
}

impl Colours {
    /// Name of the transfer function if it is one of high dynamic range.
    pub(super) fn high_dynamic_range(&self) -> Option<&'static str> {
        match self.transfer.as_deref() {
            Some("smpte2084") => Some("PQ"),
            Some("arib-std-b67") => Some("HLG"),
            _ => None,
        }
    }

    /// Whether the pixels are RGB already.
    fn is_rgb(&self) -> bool {
        let is_named = ["rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8"];
        self.matrix.as_deref() == Some("gbr") || is_named.iter().any(|name| self.pixel_format.starts_with(name))
    }

    /// Whether pixels have an opacity, which is lost.
    pub(super) fn has_alpha(&self) -> bool {
        ["yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya"].iter().any(|name| self.pixel_format.starts_with(name))
    }

    /// Whether channels have more than 8 bits, which are rounded to 8: `yuv420p10le`, `p010le`, `rgb48be`.
    pub(super) fn is_deep(&self) -> bool {
        let format = self.pixel_format.strip_suffix("le").or_else(|| self.pixel_format.strip_suffix("be"));
        let digits =
            format.map(|format| &format[format.trim_end_matches(|letter: char| letter.is_ascii_digit()).len()..]);
        let bits = digits.and_then(|digits| digits.parse::<u32>().ok());
        // Others are 16 bits for all channels together, such as `rgb565le`.
        bits.is_some_and(|bits| [9, 10, 12, 14, 16, 32, 48, 64].contains(&bits))
    }

    /// Matrix by its name in ffmpeg's scaler.
    fn scaler_matrix(&self, height: u32) -> &'static str {
        match self.matrix.as_deref() {
            Some("bt709") => "bt709",
            Some("fcc") => "fcc",
            Some("bt470bg") => "bt470",
            Some("smpte170m") => "smpte170m",
            Some("smpte240m") => "smpte240m",
            Some("bt2020nc" | "bt2020c") => "bt2020",
            _ if height >= HIGH_DEFINITION => "bt709",
            _ => "smpte170m",
        }
    }

    /// Options of the `scale` filter that turns frames of the clip into RGB.
    pub(super) fn to_rgb(&self, height: u32) -> String {
        match self.is_rgb() {
            true => String::new(),
            false => format!(":in_color_matrix={}", self.scaler_matrix(height)),
        }
    }

    /// Options of the `scale` filter that turns RGB into frames like those of the clip.
    pub(super) fn of_rgb(&self, height: u32) -> String {
        let range = if self.is_full_range() { "pc" } else { "tv" };
        format!(":out_color_matrix={}:out_range={range}", self.scaler_matrix(height))
    }

    fn is_full_range(&self) -> bool {
        !self.is_rgb() && (self.range.as_deref() == Some("pc") || self.pixel_format.starts_with("yuvj"))
    }

    /// Arguments that write the properties, as far as the clip tells them, into the result.
    pub(super) fn tags(&self, height: u32) -> Vec<String> {
        let matrix = match self.is_rgb() {
            true => Some(if height >= HIGH_DEFINITION { "bt709" } else { "smpte170m" }),
            false => self.matrix.as_deref(),
        };
        let tags = [
            ("-colorspace", matrix),
            ("-color_primaries", self.primaries.as_deref()),
            ("-color_trc", self.transfer.as_deref()),
            ("-color_range", Some(if self.is_full_range() { "pc" } else { "tv" })),
        ];
        let tags = tags.into_iter().filter_map(|(option, value)| Some((option, value?)));
        let tags = tags.filter(|(_, value)| !UNSPECIFIED.contains(value));
        tags.flat_map(|(option, value)| [String::from(option), value.into()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(pixel_format: &str, matrix: Option<&str>) -> Colours {
        Colours { pixel_format: pixel_format.into(), matrix: matrix.map(String::from), ..Colours::default() }
    }

    #[test]
    fn both_directions_use_the_matrix_of_the_clip() {
        let tagged = colours("yuv420p", Some("bt2020nc"));

        assert_eq!(tagged.to_rgb(480), ":in_color_matrix=bt2020");
        assert_eq!(tagged.of_rgb(480), ":out_color_matrix=bt2020:out_range=tv");
        assert_eq!(tagged.tags(480), ["-colorspace", "bt2020nc", "-color_range", "tv"]);
    }

    #[test]
    fn an_untagged_clip_has_the_matrix_of_its_size_and_stays_untagged() {
        let untagged = colours("yuvj420p", Some("unknown"));

        assert_eq!(untagged.to_rgb(719), ":in_color_matrix=smpte170m");
        assert_eq!(untagged.of_rgb(720), ":out_color_matrix=bt709:out_range=pc");
        assert_eq!(untagged.tags(720), ["-color_range", "pc"]);
    }

    #[test]
    fn rgb_needs_no_matrix_to_be_read() {
        let rgb = colours("gbrp", Some("gbr"));

        assert_eq!(rgb.to_rgb(1080), "");
        assert_eq!(rgb.tags(1080), ["-colorspace", "bt709", "-color_range", "tv"]);
    }

    #[test]
    fn depth_opacity_and_high_dynamic_range_are_recognised() {
        for format in ["yuv420p10le", "p010le", "rgb48be", "gray16le"] {
            assert!(colours(format, None).is_deep(), "{format}");
        }
        for format in ["yuv420p", "nv12", "rgb24", "rgb565le", ""] {
            assert!(!colours(format, None).is_deep(), "{format}");
        }
        assert!(colours("yuva420p", None).has_alpha() && !colours("yuv420p", None).has_alpha());
        let hlg = Colours { transfer: Some("arib-std-b67".into()), ..Colours::default() };
        assert_eq!((hlg.high_dynamic_range(), colours("yuv420p", None).high_dynamic_range()), (Some("HLG"), None));
    }
}
