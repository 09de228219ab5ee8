//! Thrift's compact protocol, in which a Parquet file says what it holds: a walk over bytes that takes nothing on trust and no memory.

/// Deepest nesting of what is passed over; Parquet's own is under ten.
const DEPTH: usize = 32;

/// The types of values, as they are numbered on the wire; a boolean field is its own value.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A place in the bytes. Everything gives `None` at what is damaged or goes past the end.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next bytes as they are.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// A number of 7 bits a byte, the lowest first.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A whole number of 16, 32 or 64 bits.
    pub(super) fn int(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// A text or bytes.
    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }

    /// Walks a struct: `field` is given each field's number and type, and either reads its value and says so, or leaves it alone.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, i64, u8) -> Option<bool>,
    ) -> Option<()> {
        let mut number = 0;
        loop {
            let header = self.byte()?;
            let kind = header & 0x0f;
            if kind == 0 {
                return Some(());
            }
            number = match header >> 4 {
                0 => self.int()?,
                delta => i64::checked_add(number, i64::from(delta))?,
            };
            if !field(self, number, kind)? {
                self.skip(kind, DEPTH)?;
            }
        }
    }

    /// Begins a list of structs: how many there are. Each has a byte at least.
    pub(super) fn structs(&mut self) -> Option<usize> {
        let (kind, count) = self.list()?;
        (kind == STRUCT).then_some(count)
    }

    fn list(&mut self) -> Option<(u8, usize)> {
        let header = self.byte()?;
        let count = match header >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            few => usize::from(few),
        };
        let left = self.bytes.len() - self.at;
        (count <= left).then_some((header & 0x0f, count))
    }

    /// Passes over a value.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            TRUE | FALSE => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => drop(self.take(8)?),
            8 => drop(self.binary()?),
            LIST | 10 => {
                let (kind, count) = self.list()?;
                for _ in 0..count {
                    self.skip_element(kind, depth)?;
                }
            }
            11 => {
                let count = self.varint()?;
                if count > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..count {
                        self.skip_element(kinds >> 4, depth)?;
                        self.skip_element(kinds & 0x0f, depth)?;
                    }
                }
            }
            STRUCT => loop {
                let header = self.byte()?;
                match header & 0x0f {
                    0 => return Some(()),
                    kind => {
                        if header >> 4 == 0 {
                            self.int()?;
                        }
                        self.skip(kind, depth)?;
                    }
                }
            },
            13 => drop(self.take(16)?),
            _ => return None,
        }
        Some(())
    }

    /// In a list a boolean takes a byte.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => self.byte().map(drop),
            kind => self.skip(kind, depth),
        }
    }
}

/// Whether a boolean field of this type is true.
pub(super) fn is_true(kind: u8) -> bool {
    kind == TRUE
}
