//! Counts the blocks of a JPEG scan.

use super::frame::{Frame, Process};
use super::huffman::{BitFault, Bits, Table};

/// Why the blocks of a scan cannot be counted to the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ScanFault {
    /// The data end early.
    Ended,
    /// Invalid Huffman code.
    NoSuchCode,
    /// A Huffman table is missing; some cameras omit the standard tables.
    NoTable,
}

impl From<BitFault> for ScanFault {
    fn from(fault: BitFault) -> Self {
        match fault {
            BitFault::Ended => Self::Ended,
            BitFault::NoSuchCode => Self::NoSuchCode,
        }
    }
}

/// A scan header.
pub(super) struct Scan {
    parts: Vec<Part>,
    first: usize,
    last: usize,
    refines: bool,
    lowest_bit: u8,
    restart_interval: u32,
}

/// A component of a scan, by its index, with its tables for the first coefficient (DC) and the others (AC).
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

/// How the blocks of a component are coded in a scan.
enum Coding<'a> {
    /// Sequential: all coefficients at once.
    Sequential { dc: &'a Table, ac: &'a Table },
    /// First scan of the DC coefficient.
    First(&'a Table),
    /// Refinement of the DC coefficient by one bit.
    FirstRefined,
    /// First scan of a band of AC coefficients.
    Band(&'a Table),
    /// Refinement of a band by one bit.
    BandRefined(&'a Table),
}

impl Scan {
    /// Parses a segment; `None` if it is invalid.
    pub(super) fn parsed(segment: &[u8], frame: &Frame, restart_interval: u32) -> Option<Self> {
        let (&count, rest) = segment.split_first()?;
        let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let part = |pair: &[u8]| {
            let component = frame.components.iter().position(|component| component.id == pair[0])?;
            Some(Part { component, dc: usize::from(pair[1] >> 4), ac: usize::from(pair[1] & 15) })
        };
        let parts: Vec<_> = parts.chunks_exact(2).map(part).collect::<Option<_>>()?;
        let &[first, last, bits] = rest.first_chunk()?;
        let (first, last, bits) = match frame.process {
            Process::Sequential => (0, 63, 0),
            Process::Progressive => (first, last, bits),
        };
        let scan = Self {
            parts,
            first: first.into(),
            last: last.into(),
            refines: bits >> 4 != 0,
            lowest_bit: bits & 15,
            restart_interval,
        };
        // Progressive images code DC coefficients separately, and AC coefficients one component per scan.
        let band = if first == 0 { last == 0 } else { first <= last && last < 64 && scan.parts.len() == 1 };
        let sound = !scan.parts.is_empty()
            && scan.parts.iter().all(|part| part.dc < 4 && part.ac < 4)
            && (band || frame.process == Process::Sequential);
        sound.then_some(scan)
    }

    /// Walks all blocks in `data` and returns how many bytes they took.
    pub(super) fn walk(
        &self,
        frame: &mut Frame,
        dc: &[Option<Table>; 4],
        ac: &[Option<Table>; 4],
        data: &[u8],
    ) -> Result<usize, ScanFault> {
        let alone = (self.parts.len() == 1).then(|| frame.blocks(&frame.components[self.parts[0].component]));
        let groups = alone.map_or_else(|| frame.groups(), |(across, down)| across * down);
        let mut codings = Vec::new();
        for part in &self.parts {
            let component = &mut frame.components[part.component];
            let blocks = if alone.is_some() { 1 } else { component.across * component.down };
            if self.first > 0 {
                component.nonzero.resize(groups, 0);
            }
            codings.push((self.coding(part, frame.process, dc, ac)?, part.component, blocks));
        }
        let interval = if self.restart_interval == 0 { usize::MAX } else { self.restart_interval as usize };
        let (mut bits, mut run) = (Bits::new(data), 0);
        for group in 0..groups {
            if group > 0 && group % interval == 0 {
                bits.restart()?;
                run = 0;
            }
            for (coding, component, blocks) in &codings {
                let nonzero = frame.components[*component].nonzero.get_mut(group);
                // Only non-interleaved scans have bands; there, a group is one block.
                let mut unused = 0;
                let nonzero = nonzero.unwrap_or(&mut unused);
                for _ in 0..*blocks {
                    self.block(coding, nonzero, &mut bits, &mut run)?;
                }
            }
        }
        for part in &self.parts {
            frame.components[part.component].lowest_bits[self.first..=self.last].fill(Some(self.lowest_bit));
        }
        Ok(bits.length())
    }

    fn coding<'a>(
        &self,
        part: &Part,
        process: Process,
        dc: &'a [Option<Table>; 4],
        ac: &'a [Option<Table>; 4],
    ) -> Result<Coding<'a>, ScanFault> {
        let dc = || dc[part.dc].as_ref().ok_or(ScanFault::NoTable);
        let ac = || ac[part.ac].as_ref().ok_or(ScanFault::NoTable);
        Ok(match (process, self.first > 0, self.refines) {
            (Process::Sequential, ..) => Coding::Sequential { dc: dc()?, ac: ac()? },
            (Process::Progressive, false, false) => Coding::First(dc()?),
            (Process::Progressive, false, true) => Coding::FirstRefined,
            (Process::Progressive, true, false) => Coding::Band(ac()?),
            (Process::Progressive, true, true) => Coding::BandRefined(ac()?),
        })
    }

    fn block(
        &self,
        coding: &Coding<'_>,
        nonzero: &mut u64,
        bits: &mut Bits<'_>,
        run: &mut u32,
    ) -> Result<(), ScanFault> {
        match coding {
            Coding::Sequential { dc, ac } => sequential(dc, ac, bits)?,
            Coding::First(dc) => difference(dc, bits)?,
            Coding::FirstRefined => bits.skip(1)?,
            Coding::Band(ac) => self.band(ac, nonzero, bits, run)?,
            Coding::BandRefined(ac) => self.refined_band(ac, nonzero, bits, run)?,
        }
        Ok(())
    }

    /// First scan of a band (T.81, G.1.2.2); `run` is the number of remaining blocks in an end-of-band run.
    fn band(&self, ac: &Table, nonzero: &mut u64, bits: &mut Bits<'_>, run: &mut u32) -> Result<(), BitFault> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut place = self.first;
        while place <= self.last {
            let symbol = bits.symbol(ac)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) - 1 + bits.take(zeros)?;
                return Ok(());
            }
            place += zeros as usize;
            if size > 0 {
                bits.skip(size)?;
                *nonzero |= 1u64.checked_shl(place as u32).unwrap_or(0);
            }
            place += 1;
        }
        Ok(())
    }

    /// Refines a band by one bit (T.81, G.1.2.3): one bit for each nonzero coefficient, and the newly nonzero ones.
    fn refined_band(&self, ac: &Table, nonzero: &mut u64, bits: &mut Bits<'_>, run: &mut u32) -> Result<(), BitFault> {
        let mut place = self.first;
        while *run == 0 && place <= self.last {
            let symbol = bits.symbol(ac)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            // The sign bit.
            bits.skip(size.min(1))?;
            while place <= self.last {
                match *nonzero >> place & 1 {
                    0 if zeros == 0 => break,
                    0 => zeros -= 1,
                    _ => bits.skip(1)?,
                }
                place += 1;
            }
            if size > 0 && place <= self.last {
                *nonzero |= 1 << place;
            }
            place += 1;
        }
        if *run > 0 {
            *run -= 1;
            let rest = (place..=self.last).filter(|place| *nonzero >> place & 1 == 1).count();
            for _ in 0..rest {
                bits.skip(1)?;
            }
        }
        Ok(())
    }
}

/// The difference of a DC coefficient to that of the previous block.
fn difference(dc: &Table, bits: &mut Bits<'_>) -> Result<(), BitFault> {
    let size = u32::from(bits.symbol(dc)?);
    // No image needs more than twelve bits.
    if size > 16 { Err(BitFault::NoSuchCode) } else { bits.skip(size) }
}

/// All coefficients of a block (T.81, F.2.2).
fn sequential(dc: &Table, ac: &Table, bits: &mut Bits<'_>) -> Result<(), BitFault> {
    difference(dc, bits)?;
    let mut place = 1;
    while place < 64 {
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => place += 16,
            (_, 0) => break,
            _ => {
                bits.skip(size)?;
                place += zeros + 1;
            }
        }
    }
    Ok(())
}
