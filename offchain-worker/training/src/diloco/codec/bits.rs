//! Numbers of a few bits, packed from the lowest bit of the first byte on.

/// Writes numbers.
#[derive(Default)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    open: u64,
    filled: u32,
}

impl Packer {
    /// The lowest `width` bits of `value`; at most 32.
    pub(super) fn push(&mut self, value: u32, width: u32) {
        let mask = (1u64 << width) - 1;
        self.open |= (u64::from(value) & mask) << self.filled;
        self.filled += width;
        while self.filled >= 8 {
            self.bytes.push(self.open as u8);
            self.open >>= 8;
            self.filled -= 8;
        }
    }

    /// What was written, the last byte filled with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.bytes.push(self.open as u8);
        }
        self.bytes
    }
}

/// Reads numbers; past the end there are zeros.
pub(super) struct Unpacker<'a> {
    bytes: std::slice::Iter<'a, u8>,
    open: u64,
    filled: u32,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.iter(),
            open: 0,
            filled: 0,
        }
    }

    /// The next number of `width` bits; at most 32.
    pub(super) fn next(&mut self, width: u32) -> u32 {
        while self.filled < width {
            let byte = self.bytes.next().copied().unwrap_or(0);
            self.open |= u64::from(byte) << self.filled;
            self.filled += 8;
        }
        let value = self.open & ((1u64 << width) - 1);
        self.open >>= width;
        self.filled -= width;
        value as u32
    }

    /// Whether nothing but zeros fill the last byte.
    pub(super) fn ends_in_zeros(mut self) -> bool {
        self.open == 0 && self.bytes.all(|byte| *byte == 0)
    }
}
