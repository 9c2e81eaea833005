//! Caches of ended requests, kept for the next turn of their conversation.
//!
//! A turn's prompt usually begins with everything of the turn before. Whoever names its conversation
//! gets the keys and values of the longest common prefix back and feeds only what is new. They are
//! the very numbers that feeding the prefix again would give: only a decoder whose numbers do not
//! depend on how a sequence was fed takes part: those of our own kernels.

use crate::decoder::Sequence;

/// What belongs together: requests of one conversation. Others never see what it holds.
pub type Conversation = [u8; 32];

/// A kept cache.
#[derive(Debug)]
struct Entry {
    conversation: Conversation,
    /// The tokens that the sequence holds.
    ids: Vec<u32>,
    sequence: Sequence,
    bytes: usize,
}

/// Kept caches within a bound on their bytes; the least recently used goes first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Most recently used last.
    entries: Vec<Entry>,
    bytes: usize,
}

impl Kept {
    /// Bytes of all kept caches.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes out the conversation's cache with the tokens it holds.
    pub(super) fn take(&mut self, conversation: &Conversation) -> Option<(Vec<u32>, Sequence)> {
        let index = self
            .entries
            .iter()
            .position(|entry| entry.conversation == *conversation)?;
        let entry = self.entries.remove(index);
        self.bytes -= entry.bytes;
        Some((entry.ids, entry.sequence))
    }

    /// Keeps the cache of a request that fed `ids`, in place of an older one of the conversation.
    /// What exceeds `most` bytes goes, the least recently used first.
    pub(super) fn put(
        &mut self,
        conversation: Conversation,
        mut ids: Vec<u32>,
        sequence: Sequence,
        bytes: usize,
        most: usize,
    ) {
        drop(self.take(&conversation));
        let reusable = sequence.is_exact() && !sequence.is_empty();
        if !reusable || bytes > most || ids.len() < sequence.len() {
            return;
        }
        ids.truncate(sequence.len());
        while self.bytes > most - bytes {
            let oldest = self.entries.remove(0);
            self.bytes -= oldest.bytes;
        }
        self.bytes += bytes;
        self.entries.push(Entry {
            conversation,
            ids,
            sequence,
            bytes,
        });
    }
}

/// Tokens at the start of `prompt` that a cache of `ids` saves feeding. The last prompt token is
/// always fed: its hidden state chooses the first output token.
pub(super) fn common(ids: &[u32], prompt: &[u32]) -> usize {
    let most = prompt.len().saturating_sub(1);
    ids.iter()
        .zip(prompt)
        .take(most)
        .take_while(|(held, asked)| held == asked)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_prompt_token_is_never_saved() {
        assert_eq!(common(&[1, 2, 3], &[1, 2, 3]), 2);
        assert_eq!(common(&[1, 2, 3], &[1, 2, 4, 5]), 2);
        assert_eq!(common(&[9], &[1, 2]), 0);
        assert_eq!(common(&[1], &[1]), 0);
        assert_eq!(common(&[], &[]), 0);
    }
}
