//! A counter-based random generator: the value at a position is a pure function of key and
//! position, so that any document, batch or shard can be made without making those before it.

/// Weyl increment of SplitMix64 (2^64 divided by the golden ratio, made odd).
const WEYL: u64 = 0x9E37_79B9_7F4A_7C15;

/// The SplitMix64 finaliser: a bijection of 64-bit words in which every input bit reaches every
/// output bit.
pub const fn mix64(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A stream of 64-bit words, named by a seed and the numbers that say what the stream is for.
#[derive(Clone, Debug)]
pub struct CounterRng {
    key: u64,
    counter: u64,
}

impl CounterRng {
    /// The stream of `seed` for `domain` (what it is used for) and `index` (which one of them).
    /// Different triples give unrelated streams.
    pub const fn new(seed: u64, domain: u64, index: u64) -> Self {
        let key = mix64(mix64(mix64(seed ^ WEYL).wrapping_add(domain)).wrapping_add(index));
        Self { key, counter: 0 }
    }

    /// The next word.
    pub fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        mix64(self.key.wrapping_add(self.counter.wrapping_mul(WEYL)))
    }

    /// A number in `0..bound` (0 for a bound of 0). The bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True once in `one_in` draws on average.
    pub fn one_in(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// One element of a non-empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// `count` different positions of `0..len`, in random order (all of them if `count > len`).
    pub fn distinct(&mut self, len: usize, count: usize) -> Vec<usize> {
        let mut positions: Vec<usize> = (0..len).collect();
        let count = count.min(len);
        for i in 0..count {
            let j = i + self.below(len - i);
            positions.swap(i, j);
        }
        positions.truncate(count);
        positions
    }
}
