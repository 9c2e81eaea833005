//! What nodes say to each other about blobs, in SCALE. Every length is bounded before anything is believed.

use chasqui_primitives::blob::BlobInfo;
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;

/// Longest request, in bytes. The larger bound of the answers holds for requests too on litep2p, hence the handler checks.
pub const MAX_REQUEST_BYTES: usize = 4 * 1_024;
/// Longest answer, in bytes: a chunk of 1 MiB or as many leaf hashes, and what goes around them.
pub const MAX_RESPONSE_BYTES: usize = (1 << 20) + 64 * 1_024;
/// Most leaf hashes of one answer: 1 MiB of them.
pub const MAX_LEAVES: usize = 1 << 15;
/// Most roots of one announcement.
pub const MAX_ANNOUNCED: usize = 1_024;
/// Longest announcement, in bytes.
pub const MAX_ANNOUNCEMENT_BYTES: usize = MAX_ANNOUNCED * 32 + 64;

/// A message that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has too many bytes.
    #[error("{len} bytes, at most {limit}")]
    TooLong {
        /// How many.
        len: usize,
        /// How many at most.
        limit: usize,
    },
    /// It does not decode.
    #[error("does not decode: {0}")]
    Codec(String),
    /// A rule is broken.
    #[error("{0}")]
    Rule(&'static str),
}

fn decode<T: Decode>(bytes: &[u8], limit: usize) -> Result<T, Malformed> {
    if bytes.len() > limit {
        return Err(Malformed::TooLong {
            len: bytes.len(),
            limit,
        });
    }
    T::decode_all(&mut &bytes[..]).map_err(|error| Malformed::Codec(error.to_string()))
}

/// What one asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Request {
    /// What the blob is.
    #[codec(index = 0)]
    Describe { root: H256 },
    /// Its leaf hashes from `first` on, as many as fit.
    #[codec(index = 1)]
    Leaves { root: H256, first: u64 },
    /// One chunk.
    #[codec(index = 2)]
    Chunk { root: H256, index: u64 },
}

impl Request {
    /// Reads a request.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        decode(bytes, MAX_REQUEST_BYTES)
    }
}

/// What one is answered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Response {
    /// The blob is not held here, or not handed out.
    #[codec(index = 0)]
    NotHeld,
    /// Ask again after so many milliseconds.
    #[codec(index = 1)]
    Busy { millis: u32 },
    /// What the root commits to.
    #[codec(index = 2)]
    Described(BlobInfo),
    /// Leaf hashes, at least one.
    #[codec(index = 3)]
    Leaves(Vec<H256>),
    /// The bytes of the chunk.
    #[codec(index = 4)]
    Chunk(Vec<u8>),
}

impl Response {
    /// Reads an answer.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let response = decode(bytes, MAX_RESPONSE_BYTES)?;
        match &response {
            Self::Leaves(leaves) if leaves.is_empty() || leaves.len() > MAX_LEAVES => {
                Err(Malformed::Rule("an empty or too long list of leaf hashes"))
            }
            _ => Ok(response),
        }
    }
}

/// All that a node hands out, the newest first: it takes the place of what it announced before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Announcement(pub Vec<H256>);

impl Announcement {
    /// Reads an announcement.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let Self(roots) = decode(bytes, MAX_ANNOUNCEMENT_BYTES)?;
        if roots.len() > MAX_ANNOUNCED {
            return Err(Malformed::Rule("more roots than one may announce"));
        }
        let distinct: std::collections::BTreeSet<&H256> = roots.iter().collect();
        match distinct.len() == roots.len() {
            true => Ok(Self(roots)),
            false => Err(Malformed::Rule("a root is announced twice")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_honest_messages_fit() {
        // GIVEN a full chunk, a full page of leaves, a full announcement
        let chunk = Response::Chunk(vec![7; 1 << 20]).encode();
        let leaves = Response::Leaves(vec![H256::repeat_byte(1); MAX_LEAVES]).encode();
        let roots = (0..MAX_ANNOUNCED as u64).map(H256::from_low_u64_be);
        let all = Announcement(roots.collect()).encode();
        // THEN each is within its bound and read back
        assert!(Response::read(&chunk).is_ok() && Response::read(&leaves).is_ok());
        assert!(Announcement::read(&all).is_ok());
        let request = Request::Chunk {
            root: H256::repeat_byte(9),
            index: u64::MAX,
        };
        assert_eq!(Request::read(&request.encode()), Ok(request));
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_decoded() {
        assert!(matches!(
            Request::read(&vec![0; MAX_REQUEST_BYTES + 1]),
            Err(Malformed::TooLong { .. })
        ));
        assert!(matches!(
            Response::read(&vec![0; MAX_RESPONSE_BYTES + 1]),
            Err(Malformed::TooLong { .. })
        ));
        let many = (0..=MAX_ANNOUNCED as u64).map(H256::from_low_u64_be);
        let many = Announcement(many.collect());
        assert!(Announcement::read(&many.encode()).is_err());
        let twice = Announcement(vec![H256::zero(); 2]);
        assert!(Announcement::read(&twice.encode()).is_err());
        assert!(Response::read(&Response::Leaves(vec![]).encode()).is_err());
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let mut bytes = Request::Describe { root: H256::zero() }.encode();
        bytes.push(0);
        assert!(matches!(Request::read(&bytes), Err(Malformed::Codec(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Request::read(&bytes);
            let _ = Response::read(&bytes);
            let _ = Announcement::read(&bytes);
        }
    }
}
