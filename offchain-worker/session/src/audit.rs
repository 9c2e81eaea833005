//! Opening answers to auditors.
//!
//! A case over a session's answers names leaves; who is drawn to judge it asks the executor for everything under them:
//! what was signed, prompt, salt and trace. This crate carries question and answer; who may ask, and which leaves a case
//! is about, is the chain's to say ([`Audits`]).

use crate::{
    chain::Endpoint,
    client::{connection::Connections, ClientConfig, ClientError, ErrorKind},
    limits::{MAX_OUTPUT_TOKENS, MAX_PROMPT_TOKENS},
    wire::{frame, single, Frames, Refusal, WireError, MAX_ASK_BYTES},
    AccountId, HashSigner, Receipt,
};
use async_trait::async_trait;
use chasqui_primitives::{
    hash::tagged_hash,
    session::sample::{OpenedLeaf, MOST_PLANCKS},
    trace::TRACE_LEAF_BYTES,
    CaseId,
};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;
use sp_runtime::{traits::Verify, MultiSignature};

/// Where auditors ask.
pub const AUDIT_PATH: &str = "/chasqui/session/1/audit";
/// Domain tag of a signed [`AuditAsk`].
pub const AUDIT_TAG: &[u8] = b"chasqui/session/audit/1";
/// Longest frame of an answer to an auditor, in bytes without its length: prompt, trace, and 8 KiB for what was signed.
pub const MAX_OPENED_BYTES: usize =
    4 * MAX_PROMPT_TOKENS as usize + TRACE_LEAF_BYTES * MAX_OUTPUT_TOKENS as usize + 8_192;

/// What an auditor posts to [`AUDIT_PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuditAsk {
    /// The case.
    pub case: CaseId,
    /// Whose work it is about.
    pub operator: AccountId,
    /// Who asks: an operator that is to judge the case.
    pub auditor: AccountId,
    /// The last block at which this may be answered.
    pub valid_until: u32,
    /// The auditor's hot key's, over [`AuditAsk::signing_hash`].
    pub signature: MultiSignature,
}

impl AuditAsk {
    /// Asks in the name of `auditor`, whose hot key `signer` is.
    pub fn new(
        genesis: &H256,
        case: CaseId,
        operator: AccountId,
        auditor: AccountId,
        valid_until: u32,
        signer: &dyn HashSigner,
    ) -> Self {
        let payload = (case, &operator, &auditor, valid_until);
        let hash = tagged_hash(AUDIT_TAG, genesis, &payload);
        Self {
            case,
            signature: signer.sign(&hash.0),
            operator,
            auditor,
            valid_until,
        }
    }

    /// The 32 bytes that the auditor's hot key signs.
    pub fn signing_hash(&self, genesis: &H256) -> H256 {
        let payload = (self.case, &self.operator, &self.auditor, self.valid_until);
        tagged_hash(AUDIT_TAG, genesis, &payload)
    }

    /// Whether it is `key`'s.
    pub fn verify(&self, genesis: &H256, key: &AccountId) -> bool {
        let hash = self.signing_hash(genesis);
        self.signature.verify(hash.as_bytes(), key)
    }

    /// Reads the body of a question.
    ///
    /// # Errors
    /// Not one frame with an [`AuditAsk`].
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        single(bytes, MAX_ASK_BYTES, "audit")
    }
}

/// One answer with everything under its leaf.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OpenedAnswer {
    /// What client and operator signed, and where it lies in a settlement; of a reported answer without a proof.
    pub leaf: OpenedLeaf,
    /// What the operator signed.
    pub receipt: Receipt,
    /// Salt of the prompt's hash.
    pub salt: [u8; 32],
    /// Prompt ids.
    pub prompt: Vec<u32>,
    /// The token trace, see [`chasqui_primitives::trace::encode_trace`]; it holds the output.
    pub trace: Vec<u8>,
}

/// A message to an auditor.
// One at a time is held, for a moment.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum AuditEvent {
    /// The next answer.
    #[codec(index = 0)]
    Opened(OpenedAnswer),
    /// All have come; how many they were.
    #[codec(index = 1)]
    End(u32),
    /// Nothing is opened: the only message. The index is that of [`Event::Refused`](crate::wire::Event::Refused), which is
    /// how an executor refuses before it knows what is asked.
    #[codec(index = 3)]
    Refused(Refusal),
}

/// What an executor opens.
#[async_trait]
pub trait Audits: Send + Sync {
    /// Whether who asks may: cheap, because anybody can ask.
    ///
    /// # Errors
    /// Says why not; or the chain cannot be read.
    async fn check(&self, ask: &AuditAsk) -> Result<(), Refusal>;

    /// The answers that the case of `ask` is about, at most [`MOST_PLANCKS`].
    ///
    /// # Errors
    /// Who asks may not, or there is no such case; or the chain or the journal cannot be read.
    async fn open(&self, ask: AuditAsk) -> Result<Vec<OpenedAnswer>, Refusal>;
}

/// The frames of an answer to an auditor.
pub(crate) fn frames(opened: Vec<OpenedAnswer>) -> Vec<bytes::Bytes> {
    let count = opened.len() as u32;
    let answers = opened
        .into_iter()
        .map(|answer| frame(&AuditEvent::Opened(answer)));
    answers
        .chain(std::iter::once(frame(&AuditEvent::End(count))))
        .collect()
}

/// Asks the executor at `endpoint` and returns what it opens. Nothing of it is checked beyond its bounds.
///
/// # Errors
/// It cannot be reached, refuses, or breaks off.
pub async fn fetch(
    config: &ClientConfig,
    endpoint: &Endpoint,
    ask: &AuditAsk,
) -> Result<Vec<OpenedAnswer>, ClientError> {
    let connections = Connections::new(config.clone());
    let mut stream = connections.post(endpoint, AUDIT_PATH, frame(ask)).await?;
    let mut frames = Frames::new(MAX_OPENED_BYTES);
    let mut opened = Vec::new();
    loop {
        while let Some(content) = frames.take().map_err(ErrorKind::Wire)? {
            let event = AuditEvent::decode_all(&mut &content[..])
                .map_err(|error| ErrorKind::Broken(error.to_string()))?;
            match event {
                AuditEvent::Opened(answer) if opened.len() < MOST_PLANCKS as usize => {
                    opened.push(answer);
                }
                AuditEvent::Opened(_) => {
                    return Err(ErrorKind::False("opens more than was asked for".into()).into())
                }
                AuditEvent::End(count) if count as usize == opened.len() => return Ok(opened),
                AuditEvent::End(_) => {
                    return Err(ErrorKind::Broken("answers are missing".into()).into())
                }
                AuditEvent::Refused(refusal) => return Err(ErrorKind::Refused(refusal).into()),
            }
        }
        match stream.chunk().await? {
            Some(bytes) => frames.push(&bytes),
            None => return Err(ErrorKind::Broken("it ended within an opening".into()).into()),
        }
    }
}
