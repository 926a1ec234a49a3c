//! The frame of a JPEG: size and components of its image.

/// How a JPEG codes its coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// All coefficients of a block in one scan.
    Sequential,
    /// Coefficients in bands, and their bits in several scans.
    Progressive,
}

/// A frame: an image's size and components.
pub(super) struct Frame {
    pub(super) process: Process,
    width: u32,
    height: u32,
    pub(super) components: Vec<Component>,
}

/// Luminance, one of the two chrominances, or another colour channel.
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) across: u32,
    pub(super) down: u32,
    /// For each coefficient: the lowest bit that has been coded; `None` before its first scan.
    pub(super) lowest_bits: [Option<u8>; 64],
    /// Progressive images: one bit per coefficient of each block, set if it is not zero.
    pub(super) nonzero: Vec<u64>,
}

impl Component {
    /// Whether any of its data have been seen.
    pub(super) fn is_seen(&self) -> bool {
        self.lowest_bits[0].is_some()
    }

    /// Whether it is complete, to the last bit of each coefficient.
    pub(super) fn is_whole(&self) -> bool {
        self.lowest_bits.iter().all(|bit| *bit == Some(0))
    }
}

impl Frame {
    /// Parses a segment; `None` for unsupported frames.
    pub(super) fn parsed(segment: &[u8], process: Process) -> Option<Self> {
        let (&[precision, height_high, height_low, width_high, width_low, count], rest) =
            segment.split_first_chunk()?;
        let height = u32::from(height_high) << 8 | u32::from(height_low);
        let width = u32::from(width_high) << 8 | u32::from(width_low);
        // A height of 0 is defined after the first scan (DNL).
        if precision != 8 || width == 0 || height == 0 || !(1..=4).contains(&count) {
            return None;
        }
        let component = |three: &[u8]| Component {
            id: three[0],
            across: u32::from(three[1] >> 4),
            down: u32::from(three[1] & 15),
            lowest_bits: [None; 64],
            nonzero: Vec::new(),
        };
        let components: Vec<_> = rest.get(..3 * usize::from(count))?.chunks_exact(3).map(component).collect();
        let usual = |component: &Component| (1..=4).contains(&component.across) && (1..=4).contains(&component.down);
        components.iter().all(usual).then_some(Self { process, width, height, components })
    }

    fn max_across(&self) -> u32 {
        self.components.iter().map(|component| component.across).max().unwrap_or(1)
    }

    fn max_down(&self) -> u32 {
        self.components.iter().map(|component| component.down).max().unwrap_or(1)
    }

    /// Number of blocks of a non-interleaved component, across and down.
    pub(super) fn blocks(&self, component: &Component) -> (usize, usize) {
        let of = |length: u32, factor: u32, max: u32| (length * factor).div_ceil(max).div_ceil(8) as usize;
        (of(self.width, component.across, self.max_across()), of(self.height, component.down, self.max_down()))
    }

    /// Number of minimum coded units (MCU) of an interleaved scan.
    pub(super) fn groups(&self) -> usize {
        let of = |length: u32, max: u32| length.div_ceil(8 * max) as usize;
        of(self.width, self.max_across()) * of(self.height, self.max_down())
    }
}
