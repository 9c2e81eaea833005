//! The text that the shipped checkpoint is trained on: short tales, talks, letters and lessons
//! from a hand-written grammar about runners who carry things from village to village.
//!
//! A document is a pure function of seed, split and number: any of them can be made alone, on any
//! machine, in any order. Within a document every reference (who, what, where, the weather, the
//! trouble and its cure) is fixed before the first word, so that the text agrees with itself.

mod grammar;
mod lexicon;
mod plots;

use crate::rng::CounterRng;

/// Which part of the corpus: the parts draw from unrelated streams of the same grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// For the tokenizer and for gradient steps.
    Train,
    /// For measuring the loss only.
    HeldOut,
}

impl Split {
    const fn domain(self) -> u64 {
        match self {
            Self::Train => 0x7461_6c65_0001,
            Self::HeldOut => 0x7461_6c65_0002,
        }
    }
}

/// A corpus without end, named by its seed and split.
#[derive(Clone, Copy, Debug)]
pub struct Corpus {
    seed: u64,
    split: Split,
}

impl Corpus {
    /// The corpus of `seed`.
    pub const fn new(seed: u64, split: Split) -> Self {
        Self { seed, split }
    }

    /// Document number `index`: a few sentences of plain ASCII text without a newline at its end.
    pub fn document(&self, index: u64) -> String {
        grammar::document(&mut CounterRng::new(self.seed, self.split.domain(), index))
    }

    /// All documents in order, from number `first` on; the iterator does not end.
    pub fn documents(self, first: u64) -> impl Iterator<Item = String> + Send {
        (first..).map(move |index| self.document(index))
    }
}
