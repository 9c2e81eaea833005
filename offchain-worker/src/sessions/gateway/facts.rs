//! What the pool knows of the chain, and what it has done there: an interface, so that its rules can be tried without a
//! node.

use async_trait::async_trait;
use chasqui_primitives::{
    session::{rules::LEAST_SPENT, SessionId},
    Balance, CheckpointRoot, EpochIndex,
};
use chasqui_session::{AccountId, Terms};

/// An operator of a session's committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub operator: AccountId,
    /// The most that its channel may ever be paid for new requests, in planck.
    pub promised: Balance,
    /// Nothing more is served on its channel.
    pub stopped: bool,
}

/// A session of this gateway's account on the finalised chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// Its name.
    pub id: SessionId,
    /// What it is for.
    pub checkpoint: CheckpointRoot,
    /// Not closing.
    pub open: bool,
    /// Everything that was put in, in planck.
    pub paid_in: Balance,
    /// What left it for operators, in planck.
    pub settled: Balance,
    /// What no slice holds, in planck.
    pub unsliced: Balance,
    /// On hold for its bytes, in planck.
    pub storage: Balance,
    /// The epoch of its newest committee.
    pub drawn_in: Option<EpochIndex>,
    /// A draw waits for its seed.
    pub drawing: bool,
    /// The committee, primary first.
    pub members: Vec<Member>,
}

impl SessionFacts {
    /// What it keeps on hold, in planck.
    pub fn held(&self) -> Balance {
        let left = self.paid_in.saturating_sub(self.settled);
        left.saturating_add(self.storage)
    }

    /// Whether closing it now would forfeit nothing.
    pub fn has_spent_enough(&self) -> bool {
        self.settled >= LEAST_SPENT.mul_floor(self.paid_in)
    }
}

/// A checkpoint as the chain offers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Which.
    pub checkpoint: CheckpointRoot,
    /// While it takes payment.
    pub terms: Option<Terms>,
}

/// One look at the finalised chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Number of the block.
    pub block: u32,
    /// The running epoch.
    pub epoch: EpochIndex,
    /// What the account can spend, in planck.
    pub free: Balance,
    /// Its live sessions for the checkpoints that are served here.
    pub sessions: Vec<SessionFacts>,
    /// Those checkpoints.
    pub offers: Vec<Offer>,
}

/// Something to be done on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Open a session.
    Open {
        /// For what.
        checkpoint: CheckpointRoot,
        /// Planck.
        deposit: Balance,
    },
    /// Put `pay` into a session, and then give `grow` to an operator's slice.
    TopUp {
        /// Which.
        session: SessionId,
        /// Planck, may be 0.
        pay: Balance,
        /// Whose slice, and planck.
        grow: Option<(AccountId, Balance)>,
    },
    /// Have another committee drawn.
    Renew {
        /// Of which.
        session: SessionId,
    },
    /// End it.
    Close {
        /// Which.
        session: SessionId,
    },
}

impl Deed {
    /// The session that it is about; an opening has none yet.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Open { .. } => None,
            Self::TopUp { session, .. } | Self::Renew { session } | Self::Close { session } => {
                Some(*session)
            }
        }
    }

    /// Its name in logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::TopUp { .. } => "top_up",
            Self::Renew { .. } => "renew",
            Self::Close { .. } => "close",
        }
    }
}

/// How a deed ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in a block. Of an opening, the session's name.
    Done(Option<SessionId>),
    /// The chain refused it: nothing happened.
    Refused {
        /// In whose words.
        reason: String,
        /// The account cannot pay for it.
        unfunded: bool,
    },
    /// It may or may not get into a block.
    Unsure(String),
}

/// Looks at the chain, and acts on it.
#[async_trait]
pub trait Treasury: Send + Sync {
    /// The newest finalised block, or `None` when that was looked at before.
    ///
    /// # Errors
    /// The chain cannot be read now.
    async fn look(&self) -> anyhow::Result<Option<Facts>>;

    /// Does it, and waits until it is in a block.
    async fn act(&self, deed: &Deed) -> Outcome;
}
