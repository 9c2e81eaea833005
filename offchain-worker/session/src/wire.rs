//! What goes over the wire: frames, their versions and their bounds. `docs/protocol.md` describes them with examples.
//!
//! A frame is its length (`u32`, little-endian, of what follows), the [`VERSION`] (one byte), and a SCALE-encoded
//! message. A request's body is one frame; an answer's body is a sequence of them.

use crate::{limits::MAX_PROMPT_TOKENS, AccountId, HashSigner, SignedReceipt, SignedRequest};
use bytes::{Buf, Bytes, BytesMut};
use chasqui_primitives::{
    hash::tagged_hash,
    session::{Seq, SessionId},
    Balance,
};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;
use sp_runtime::{traits::Verify, MultiSignature};

/// Version of every frame.
pub const VERSION: u8 = 1;
/// Where requests are posted.
pub const REQUEST_PATH: &str = "/chasqui/session/1/request";
/// Where a client asks what the executor holds for its channel.
pub const RESUME_PATH: &str = "/chasqui/session/1/resume";
/// Where a client has a request voided that has lapsed.
pub const VOID_PATH: &str = "/chasqui/session/1/void";
/// Media type of both bodies.
pub const MEDIA_TYPE: &str = "application/x-chasqui-session";
/// Domain tag of a signed [`Resume`].
pub const RESUME_TAG: &[u8] = b"chasqui/session/resume/1";

/// Longest frame of a request, in bytes without its length: the longest prompt and 2 KiB for the rest.
pub const MAX_ASK_BYTES: usize = 4 * MAX_PROMPT_TOKENS as usize + 2_048;
/// Longest frame of an answer, in bytes without its length.
pub const MAX_ANSWER_BYTES: usize = 64 * 1_024;
/// Most tokens of one frame.
pub const MAX_FRAME_TOKENS: usize = 64;
/// Most likeliest tokens told with each token.
pub const MAX_TOP_LOGPROBS: u8 = chasqui_engine::MAX_TOP_LOGPROBS;
/// Longest name of a field in a [`Refusal`], in bytes.
pub const MAX_FIELD_BYTES: usize = 64;
/// Longest explanation in a [`Refusal`], in bytes.
pub const MAX_REASON_BYTES: usize = 512;
/// Furthest in the future that a [`Resume`] may be valid, in blocks: a copy of it is soon worthless.
pub const MAX_RESUME_BLOCKS: u32 = 100;

/// Bytes that are no frame of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than any frame of this kind.
    #[error("frame of {len} bytes; at most {most} are allowed here")]
    TooLong {
        /// What the frame says.
        len: usize,
        /// What it may say.
        most: usize,
    },
    /// Another version.
    #[error("frame of version {0}; this side speaks version {VERSION}: update the older side")]
    Version(u8),
    /// Not the message that belongs here.
    #[error("field `{field}`: {reason}")]
    Malformed {
        /// Which.
        field: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The bytes end within a frame.
    #[error("the stream ends within a frame")]
    Truncated,
}

impl WireError {
    fn malformed(field: &'static str, reason: impl ToString) -> Self {
        Self::Malformed {
            field,
            reason: reason.to_string(),
        }
    }
}

/// What is posted to [`REQUEST_PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ask {
    /// The request.
    pub signed: SignedRequest,
    /// Salt of the prompt's hash: whoever does not know it cannot ask again in the client's name.
    pub salt: [u8; 32],
    /// Prompt ids, special tokens included.
    pub prompt: Vec<u32>,
    /// How many of the likeliest tokens to tell with each token; `None` for no probabilities at all. Not signed: it
    /// changes neither output nor price.
    pub top_logprobs: Option<u8>,
}

/// What is posted to [`RESUME_PATH`]: what do you hold for this channel?
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Resume {
    /// The session.
    pub session: SessionId,
    /// Who is asked.
    pub operator: AccountId,
    /// The last block at which this may be answered.
    pub valid_until: u32,
    /// The session key's, over [`Resume::signing_hash`].
    pub signature: MultiSignature,
}

impl Resume {
    /// Asks in the name of `signer`.
    pub fn new(
        genesis: &H256,
        session: SessionId,
        operator: AccountId,
        valid_until: u32,
        signer: &dyn HashSigner,
    ) -> Self {
        let hash = Self::hash(genesis, &session, &operator, valid_until);
        Self {
            session,
            operator,
            valid_until,
            signature: signer.sign(&hash.0),
        }
    }

    fn hash(genesis: &H256, session: &SessionId, operator: &AccountId, valid_until: u32) -> H256 {
        tagged_hash(RESUME_TAG, genesis, &(session, operator, valid_until))
    }

    /// The 32 bytes that the session key signs.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        Self::hash(genesis, &self.session, &self.operator, self.valid_until)
    }

    /// Whether it is `key`'s.
    pub fn verify(&self, genesis: &H256, key: &AccountId) -> bool {
        self.signature
            .verify(self.signing_hash(genesis).as_bytes(), key)
    }
}

/// What is posted to [`VOID_PATH`]: sign that this request is never answered. Its block must have passed; the prompt is
/// not needed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct VoidAsk {
    /// The request with the client's signature.
    pub signed: SignedRequest,
}

impl VoidAsk {
    /// Reads the body of such a question.
    ///
    /// # Errors
    /// Not one frame with a [`VoidAsk`].
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        single(bytes, MAX_ASK_BYTES, "void")
    }
}

/// What an executor holds for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// The last request that it accepted; `None` before the first.
    pub last: Option<SignedRequest>,
    /// The receipt for it, once it is answered.
    pub receipt: Option<SignedReceipt>,
    /// What all its receipts on this channel cost together, in planck.
    pub receipted: Balance,
    /// The last request that the chain has settled, as far as it knows; 0 for none.
    pub settled_to: Seq,
}

/// How likely a token was: natural logarithms of probabilities before temperature and cuts.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct LogProbs {
    /// Of the token itself.
    pub chosen: f32,
    /// The likeliest tokens, in descending order; at most [`MAX_TOP_LOGPROBS`].
    pub top: Vec<(u32, f32)>,
}

/// One output token.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// How likely it was, where the client asked and the answer is not one that was stored.
    pub logprobs: Option<LogProbs>,
}

/// A message of the executor.
// One at a time is held, for a moment.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Event {
    /// The request is written down: from here on it can cost. The first message of an answer.
    #[codec(index = 0)]
    Accepted {
        /// Its place in the channel.
        seq: Seq,
        /// It was answered before; this is that answer.
        stored: bool,
    },
    /// The next output tokens; at least one, at most [`MAX_FRAME_TOKENS`].
    #[codec(index = 1)]
    Tokens(Vec<Token>),
    /// The end of an answer.
    #[codec(index = 2)]
    Receipt(SignedReceipt),
    /// Nothing was accepted: the only message.
    #[codec(index = 3)]
    Refused(Refusal),
    /// What was accepted cannot be answered now; the same request may be sent again. The last message.
    #[codec(index = 4)]
    Failed(Refusal),
    /// The answer to a [`Resume`]: the only message.
    #[codec(index = 5)]
    Held(Held),
}

/// Why an executor does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum RefusalCode {
    /// Bytes that are no message of this protocol, or out of bounds.
    #[codec(index = 0)]
    Malformed,
    /// Another version of the protocol.
    #[codec(index = 1)]
    Version,
    /// The finalised chain knows no such session or channel (yet).
    #[codec(index = 2)]
    UnknownSession,
    /// Another operator is named, the operator is not in the committee, the session is closing, or the checkpoint is
    /// another or not served.
    #[codec(index = 3)]
    NotServed,
    /// Not the session key's signature.
    #[codec(index = 4)]
    Signature,
    /// Not the next number of the channel.
    #[codec(index = 5)]
    OutOfOrder,
    /// The cap does not cover what was receipted and this request.
    #[codec(index = 6)]
    CapTooLow,
    /// The finalised slice does not cover the cap (yet).
    #[codec(index = 7)]
    SliceTooSmall,
    /// The request before is not answered yet.
    #[codec(index = 8)]
    Busy,
    /// Too late to begin.
    #[codec(index = 9)]
    Expired,
    /// The channel is stopped.
    #[codec(index = 10)]
    Stopped,
    /// Another request of the same place was accepted before: both are kept as evidence, the channel is stopped.
    #[codec(index = 11)]
    Equivocation,
    /// The unit price is below what the executor takes, or `max_price` below what the request can cost.
    #[codec(index = 12)]
    Price,
    /// The prompt does not match its hash or count, exceeds the context, or the sampling is out of range.
    #[codec(index = 13)]
    Request,
    /// Too many requests at once, or the journal is full.
    #[codec(index = 14)]
    Overloaded,
    /// The executor cannot read its node now.
    #[codec(index = 15)]
    Chain,
    /// The computation failed.
    #[codec(index = 16)]
    Compute,
    /// The executor's journal or key failed.
    #[codec(index = 17)]
    Internal,
}

/// Why an executor does not serve, in words.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[error("{code:?}: field `{}`: {}", field.escape_debug(), reason.escape_debug())]
pub struct Refusal {
    /// The kind.
    pub code: RefusalCode,
    /// The field that it is about.
    pub field: String,
    /// What is wrong with it, and what would be accepted.
    pub reason: String,
}

impl Refusal {
    /// A refusal; what is too long is cut.
    pub fn new(code: RefusalCode, field: &str, reason: impl ToString) -> Self {
        Self {
            code,
            field: cut(field.to_string(), MAX_FIELD_BYTES),
            reason: cut(reason.to_string(), MAX_REASON_BYTES),
        }
    }
}

fn cut(mut text: String, most: usize) -> String {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// A message as a frame.
pub fn frame(message: &impl Encode) -> Bytes {
    let body = message.encode();
    let mut frame = Vec::with_capacity(body.len() + 5);
    // No message of ours comes near 4 GiB: each is bounded by its constructor.
    frame.extend_from_slice(&(body.len() as u32 + 1).to_le_bytes());
    frame.push(VERSION);
    frame.extend_from_slice(&body);
    frame.into()
}

/// Cuts a stream of bytes into frames.
#[derive(Debug)]
pub struct Frames {
    buffer: BytesMut,
    most: usize,
}

impl Frames {
    /// Of frames of at most `most` bytes each.
    pub fn new(most: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            most,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The content of the next whole frame; `None` until more bytes have come.
    ///
    /// # Errors
    /// Its length or version is not allowed.
    pub fn take(&mut self) -> Result<Option<BytesMut>, WireError> {
        let Some(len) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*len) as usize;
        if len > self.most {
            return Err(WireError::TooLong {
                len,
                most: self.most,
            });
        }
        if len == 0 {
            return Err(WireError::malformed("version", "the frame is empty"));
        }
        match self.buffer.get(4) {
            None => return Ok(None),
            Some(version) if *version != VERSION => return Err(WireError::Version(*version)),
            Some(_) => {}
        }
        if self.buffer.len() < 4 + len {
            return Ok(None);
        }
        self.buffer.advance(5);
        Ok(Some(self.buffer.split_to(len - 1)))
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// It ends within a frame.
    pub fn end(&self) -> Result<(), WireError> {
        match self.buffer.is_empty() {
            true => Ok(()),
            false => Err(WireError::Truncated),
        }
    }
}

/// The one frame that `bytes` are.
pub(crate) fn single<T: Decode>(
    bytes: &[u8],
    most: usize,
    field: &'static str,
) -> Result<T, WireError> {
    let mut frames = Frames::new(most);
    frames.push(bytes);
    let content = frames.take()?.ok_or(WireError::Truncated)?;
    if frames.end().is_err() {
        return Err(WireError::malformed(field, "more than one frame"));
    }
    T::decode_all(&mut &content[..]).map_err(|error| WireError::malformed(field, error))
}

impl Ask {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// Not one frame with an [`Ask`], or a prompt beyond [`MAX_PROMPT_TOKENS`].
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let ask: Self = single(bytes, MAX_ASK_BYTES, "request")?;
        if ask.prompt.len() > MAX_PROMPT_TOKENS as usize {
            return Err(WireError::malformed(
                "prompt",
                format!(
                    "{} tokens; at most {MAX_PROMPT_TOKENS} are allowed",
                    ask.prompt.len()
                ),
            ));
        }
        if ask.top_logprobs.is_some_and(|top| top > MAX_TOP_LOGPROBS) {
            return Err(WireError::malformed(
                "top_logprobs",
                format!("more than {MAX_TOP_LOGPROBS}"),
            ));
        }
        Ok(ask)
    }
}

impl Resume {
    /// Reads the body of a query.
    ///
    /// # Errors
    /// Not one frame with a [`Resume`].
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        single(bytes, MAX_ASK_BYTES, "resume")
    }
}

impl Event {
    /// Reads the content of a frame.
    ///
    /// # Errors
    /// No message of an executor, or one out of bounds.
    pub fn read(content: &[u8]) -> Result<Self, WireError> {
        let event = Self::decode_all(&mut &content[..])
            .map_err(|error| WireError::malformed("event", error))?;
        match &event {
            Self::Tokens(tokens) => {
                if tokens.is_empty() || tokens.len() > MAX_FRAME_TOKENS {
                    return Err(WireError::malformed(
                        "tokens",
                        format!("{} in one frame; 1 to {MAX_FRAME_TOKENS}", tokens.len()),
                    ));
                }
                let told = |token: &Token| match &token.logprobs {
                    None => true,
                    Some(probs) => {
                        probs.top.len() <= usize::from(MAX_TOP_LOGPROBS)
                            && probs.chosen.is_finite()
                            && probs.top.iter().all(|(_, prob)| prob.is_finite())
                    }
                };
                if !tokens.iter().all(told) {
                    return Err(WireError::malformed(
                        "logprobs",
                        format!("not finite, or more than {MAX_TOP_LOGPROBS}"),
                    ));
                }
            }
            Self::Refused(refusal) | Self::Failed(refusal) => {
                if refusal.field.len() > MAX_FIELD_BYTES || refusal.reason.len() > MAX_REASON_BYTES
                {
                    return Err(WireError::malformed("refusal", "its words are too long"));
                }
            }
            Self::Accepted { .. } | Self::Receipt(_) | Self::Held(_) => {}
        }
        Ok(event)
    }
}
