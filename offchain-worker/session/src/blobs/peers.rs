//! Asking holders: every answer is bounded and checked before anybody sees it.

use super::{
    travels, BlobEvent, ChunksAsk, DescribeAsk, CHUNKS_PATH, DESCRIBE_PATH, MAX_ASK_CHUNKS,
    MAX_BLOB_FRAME_BYTES, MAX_CHUNKS,
};
use crate::{
    chain::Endpoint,
    client::{
        connection::{Connections, Stream},
        ClientConfig, ClientError, ErrorKind,
    },
    wire::{frame, Frames, Refusal, RefusalCode, WireError},
};
use bytes::BytesMut;
use chasqui_blobs::Description;
use chasqui_primitives::blob::CHUNK_BYTES;
use sp_core::H256;
use std::{ops::Range, time::Duration};
use tokio::time::timeout;

/// How patient one is with holders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeersConfig {
    /// Time to connect and shake hands.
    pub connect: Duration,
    /// Time for each frame of an answer, the longest being a chunk of 1 MiB.
    pub frame: Duration,
    /// Most connections that are kept open; the oldest goes.
    pub connections: usize,
}

impl Default for PeersConfig {
    /// 10 seconds to connect, 30 for a frame, 16 connections.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            frame: Duration::from_secs(30),
            connections: 16,
        }
    }
}

/// Why a holder did not give what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It does not share the blob, or not under this protocol.
    #[error("does not share it ({0})")]
    NotHeld(Refusal),
    /// It cannot answer now.
    #[error("cannot answer now: {0}")]
    Busy(Refusal),
    /// It cannot be reached, or its answer broke off or came too slowly.
    #[error("{0}")]
    Broken(String),
    /// It sends what is not of the blob, or no message of this protocol: it lies, or its disk does.
    #[error("sends false bytes: {0}")]
    False(String),
    /// The blob has more bytes than are wanted: nobody can have a smaller one of this root.
    #[error("the blob has {len} bytes, more than the {limit} allowed here")]
    TooLarge {
        /// Its length in bytes.
        len: u64,
        /// What was wanted, in bytes.
        limit: u64,
    },
    /// The blob's chunks are too large or too many to be sent: nobody can have others of this root.
    #[error("the blob has {chunks} chunks of {chunk} bytes; at most {MAX_CHUNKS} of at most {CHUNK_BYTES} travel")]
    Shape {
        /// How many.
        chunks: u64,
        /// How large, in bytes.
        chunk: u32,
    },
}

impl From<ClientError> for PeerError {
    fn from(error: ClientError) -> Self {
        match *error.kind {
            ErrorKind::Wire(error) => Self::False(error.to_string()),
            kind => Self::Broken(kind.to_string()),
        }
    }
}

impl From<WireError> for PeerError {
    fn from(error: WireError) -> Self {
        match error {
            // A connection that ends is nobody's lie.
            WireError::Truncated => Self::Broken(error.to_string()),
            error => Self::False(error.to_string()),
        }
    }
}

fn refused(refusal: Refusal) -> PeerError {
    match refusal.code {
        RefusalCode::NotServed | RefusalCode::Version => PeerError::NotHeld(refusal),
        _ => PeerError::Busy(refusal),
    }
}

/// Connections to holders.
pub struct Peers {
    connections: Connections,
    frame: Duration,
}

impl Peers {
    /// Without any connection yet.
    pub fn new(config: &PeersConfig) -> Self {
        let client = ClientConfig {
            connect: config.connect,
            silence: config.frame,
            connections: config.connections,
            ..ClientConfig::default()
        };
        Self {
            connections: Connections::new(client),
            frame: config.frame,
        }
    }

    async fn ask(
        &self,
        holder: &Endpoint,
        path: &str,
        ask: &impl parity_scale_codec::Encode,
    ) -> Result<Answer, PeerError> {
        let post = self.connections.post(holder, path, frame(ask));
        let stream = post.await?;
        Ok(Answer {
            stream,
            frames: Frames::new(MAX_BLOB_FRAME_BYTES),
            patience: self.frame,
        })
    }

    /// What the blob `root` is, of at most `max_bytes`.
    ///
    /// # Errors
    /// The holder has none, cannot be reached or says something false; or the blob is larger than that, or does not travel.
    pub async fn describe(
        &self,
        holder: &Endpoint,
        root: &H256,
        max_bytes: u64,
    ) -> Result<Description, PeerError> {
        let ask = DescribeAsk { root: *root };
        let mut answer = self.ask(holder, DESCRIBE_PATH, &ask).await?;
        let info = match answer.event().await? {
            BlobEvent::Described(info) => info,
            BlobEvent::Refused(refusal) => return Err(refused(refusal)),
            _ => return Err(PeerError::False("a description that is none".into())),
        };
        if info.root() != *root || !info.is_well_formed() {
            return Err(PeerError::False("a description of another blob".into()));
        }
        if info.len > max_bytes {
            return Err(PeerError::TooLarge {
                len: info.len,
                limit: max_bytes,
            });
        }
        if !travels(&info) {
            return Err(PeerError::Shape {
                chunks: info.chunks(),
                chunk: info.chunk,
            });
        }
        let mut leaves: Vec<H256> = Vec::new();
        while (leaves.len() as u64) < info.chunks() {
            match answer.event().await? {
                BlobEvent::Leaves(more) => leaves.extend(more),
                BlobEvent::Refused(refusal) => return Err(refused(refusal)),
                _ => return Err(PeerError::False("a description that is none".into())),
            }
        }
        let description = Description { info, leaves };
        match description.is_of(root) {
            true => Ok(description),
            false => Err(PeerError::False("chunks of another blob".into())),
        }
    }

    /// The chunks of `range`, which is not empty and has at most [`MAX_ASK_CHUNKS`], of the blob `root`, which is
    /// `description`.
    ///
    /// # Errors
    /// The holder cannot be reached.
    pub async fn chunks<'d>(
        &self,
        holder: &Endpoint,
        root: &H256,
        description: &'d Description,
        range: Range<u64>,
    ) -> Result<Chunks<'d>, PeerError> {
        let count = range.end.saturating_sub(range.start);
        let count = u32::try_from(count).unwrap_or(u32::MAX).min(MAX_ASK_CHUNKS);
        let ask = ChunksAsk {
            root: *root,
            first: range.start,
            count,
        };
        Ok(Chunks {
            answer: self.ask(holder, CHUNKS_PATH, &ask).await?,
            description,
            range: range.start..range.start.saturating_add(u64::from(count)),
        })
    }
}

/// Chunks on their way.
pub struct Chunks<'d> {
    answer: Answer,
    description: &'d Description,
    range: Range<u64>,
}

impl Chunks<'_> {
    /// The next chunk, checked; `None` behind the last one.
    ///
    /// # Errors
    /// It does not come, or it is another.
    pub async fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, PeerError> {
        let Some(wanted) = self.range.next() else {
            return Ok(None);
        };
        match self.answer.event().await? {
            BlobEvent::Chunk { index, bytes }
                if index == wanted && self.description.is_chunk(index, &bytes) =>
            {
                Ok(Some((index, bytes)))
            }
            BlobEvent::Refused(refusal) => Err(refused(refusal)),
            _ => Err(PeerError::False(format!("no such chunk {wanted}"))),
        }
    }
}

/// An answer's frames. Dropping it hangs up.
struct Answer {
    stream: Stream,
    frames: Frames,
    patience: Duration,
}

impl Answer {
    async fn event(&mut self) -> Result<BlobEvent, PeerError> {
        let patience = self.patience;
        // A holder that sends a byte now and then is as good as silent.
        let content = timeout(patience, self.frame()).await;
        let late = || PeerError::Broken(format!("no whole frame within {patience:?}"));
        Ok(BlobEvent::read(&content.map_err(|_| late())??)?)
    }

    async fn frame(&mut self) -> Result<BytesMut, PeerError> {
        loop {
            if let Some(content) = self.frames.take()? {
                return Ok(content);
            }
            match self.stream.chunk().await? {
                Some(bytes) => self.frames.push(&bytes),
                None => return Err(PeerError::Broken("the answer ended too early".into())),
            }
        }
    }
}
