//! Huffman codes of a JPEG and their bit reader.

use super::marker::{RST0, RST7};

/// Maximum code length in bits of the lookup table; longer codes are rare.
const FAST: u32 = 9;

/// A Huffman table.
pub(super) struct Table {
    /// Code length and symbol, indexed by the next [`FAST`] bits; a length of 0 marks a longer code.
    fast: Box<[(u8, u8); 1 << FAST]>,
    /// For each length from 1: the exclusive upper bound of its codes, aligned to 16 bits.
    ends: [u32; 16],
    /// For each length: the offset from a code to the index of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
}

impl Table {
    /// From the number of codes of each length and the symbols in order (T.81, annex C); `None` if there are too many
    /// codes.
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { fast: Box::new([(0, 0); 1 << FAST]), ends: [0; 16], offsets: [0; 16], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0u32, 0usize);
        for (index, count) in counts.iter().enumerate() {
            let length = index as u32 + 1;
            table.offsets[index] = place as i32 - code as i32;
            for _ in 0..*count {
                if code >= 1 << length {
                    return None;
                }
                if length <= FAST {
                    let first = (code << (FAST - length)) as usize;
                    table.fast[first..first + (1 << (FAST - length))].fill((length as u8, symbols[place]));
                }
                code += 1;
                place += 1;
            }
            table.ends[index] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Length and symbol of the code at the start of 16 bits.
    fn code(&self, bits: u32) -> Option<(u32, u8)> {
        let (length, symbol) = self.fast[(bits >> (16 - FAST)) as usize];
        if length > 0 {
            return Some((u32::from(length), symbol));
        }
        let index = (FAST as usize..16).find(|index| bits < self.ends[*index])?;
        let length = index as u32 + 1;
        let place = (bits >> (16 - length)) as i32 + self.offsets[index];
        Some((length, *self.symbols.get(usize::try_from(place).ok()?)?))
    }
}

/// Parses the tables of a segment; `None` if it is invalid.
pub(super) fn parse(mut segment: &[u8], dc: &mut [Option<Table>; 4], ac: &mut [Option<Table>; 4]) -> Option<()> {
    while let [head, rest @ ..] = segment {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let (symbols, rest) = rest.split_at_checked(counts.iter().map(|count| usize::from(*count)).sum())?;
        let tables = if head >> 4 == 0 { &mut *dc } else { &mut *ac };
        *tables.get_mut(usize::from(head & 15))? = Some(Table::new(counts, symbols)?);
        segment = rest;
    }
    Some(())
}

/// Why a code cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BitFault {
    /// The data end, or a marker follows.
    Ended,
    /// No code starts with these bits.
    NoSuchCode,
}

/// The bits of entropy-coded data, up to a marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, starting at the most significant.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, buffer: 0, count: 0 }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let (byte, length) = match self.bytes[self.at..] {
                [0xff, 0x00, ..] => (0xff, 2),
                // Fill bytes in front of a marker.
                [0xff, ..] | [] => return,
                [byte, ..] => (byte, 1),
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
            self.at += length;
        }
    }

    pub(super) fn skip(&mut self, count: u32) -> Result<(), BitFault> {
        self.take(count).map(|_| ())
    }

    /// The next `count` bits, at most 16.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, BitFault> {
        if self.count < count {
            self.fill();
            if self.count < count {
                return Err(BitFault::Ended);
            }
        }
        let bits = if count == 0 { 0 } else { (self.buffer >> (64 - count)) as u32 };
        self.buffer <<= count;
        self.count -= count;
        Ok(bits)
    }

    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, BitFault> {
        if self.count < 16 {
            self.fill();
        }
        // Beyond the end, zero bits follow.
        let found = table.code((self.buffer >> 48) as u32);
        let (length, symbol) = found.ok_or(if self.count < 16 { BitFault::Ended } else { BitFault::NoSuchCode })?;
        self.skip(length)?;
        Ok(symbol)
    }

    /// Skips the next marker if it is a restart marker.
    pub(super) fn restart(&mut self) -> Result<(), BitFault> {
        let rest = &self.bytes[self.at..];
        let marker = rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff));
        match marker {
            Some(place) if matches!(rest[place + 1], RST0..=RST7) => {
                self.at += place + 2;
                (self.buffer, self.count) = (0, 0);
                Ok(())
            }
            _ => Err(BitFault::Ended),
        }
    }

    /// Number of bytes consumed, without buffered whole bytes.
    pub(super) fn length(&self) -> usize {
        // A buffered 0xff takes two bytes in the file; an error of one byte does not matter.
        self.at - (self.count / 8) as usize
    }
}
