//! What cases over session answers are about, as the chain has it.

use super::{
    convert::{receipt_of, request_of},
    ours,
};
use crate::view::fetch;
use anyhow::{Context, Result};
use chasqui_chain::{api, Head};
use chasqui_primitives::{
    audit::Subject,
    session::{
        sample::{draw_plancks, Place},
        SignedRequest,
    },
    Balance, CaseId, CheckpointRoot,
};
use chasqui_session::{AccountId, SignedReceipt};
use std::collections::BTreeMap;

type TakingsStage = api::runtime_types::pallet_sessions::types::TakingsStage;
type ReportStage = api::runtime_types::pallet_sessions::types::ReportStage;

/// What a case is about, as the chain has it.
#[derive(Clone, Debug)]
pub enum About {
    /// Plancks of an operator's takings, and the settlements that they lie in.
    Takings {
        operator: AccountId,
        checkpoint: CheckpointRoot,
        plancks: Vec<Balance>,
        places: BTreeMap<u32, Place<AccountId>>,
    },
    /// One reported answer.
    Answer {
        operator: AccountId,
        checkpoint: CheckpointRoot,
        signed: Box<SignedRequest<AccountId>>,
        receipt: Box<SignedReceipt>,
    },
}

impl About {
    /// Whose work it is.
    pub fn operator(&self) -> &AccountId {
        match self {
            Self::Takings { operator, .. } | Self::Answer { operator, .. } => operator,
        }
    }

    /// The model that was to be used.
    pub fn checkpoint(&self) -> CheckpointRoot {
        match self {
            Self::Takings { checkpoint, .. } | Self::Answer { checkpoint, .. } => *checkpoint,
        }
    }
}

/// What an open case about a session is about; `None` for anything else, or when the case is over.
///
/// # Errors
/// The chain cannot be read.
pub async fn about(head: &Head, subject: &Subject) -> Result<Option<About>> {
    match *subject {
        Subject::Job(_) | Subject::Dataset(_) => Ok(None),
        Subject::SessionTakings(id) => takings(head, id).await,
        Subject::SessionReceipt(id) => {
            let Some(report) = fetch!(head, api::storage().sessions().reports(), (id,)) else {
                return Ok(None);
            };
            let signed = request_of(report.request);
            let receipt = receipt_of(report.receipt);
            Ok(Some(About::Answer {
                operator: receipt.receipt.operator.clone(),
                checkpoint: signed.request.checkpoint,
                signed: Box::new(signed),
                receipt: Box::new(receipt),
            }))
        }
    }
}

async fn takings(head: &Head, id: u64) -> Result<Option<About>> {
    let Some(takings) = fetch!(head, api::storage().sessions().all_takings(), (id,)) else {
        return Ok(None);
    };
    let TakingsStage::InAudit {
        subseed, plancks, ..
    } = takings.stage
    else {
        return Ok(None);
    };
    let plancks = draw_plancks(&subseed, takings.total, plancks);
    let operator = ours(&takings.operator);
    let entry = head
        .at
        .storage()
        .entry(api::storage().sessions().settlements())?;
    let mut items = entry.iter((id,)).await?;
    let mut places = BTreeMap::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let (_, index) = item.key()?.decode()?;
        let record = item.value().decode()?;
        let place = Place {
            session: record.session,
            operator: operator.clone(),
            checkpoint: takings.checkpoint,
            claim: record.claim.0,
            before: record.before,
        };
        places.insert(index, place);
    }
    Ok(Some(About::Takings {
        operator,
        checkpoint: takings.checkpoint,
        plancks,
        places,
    }))
}

/// The case that an operator's session work is in, where its opening is demanded on chain.
///
/// # Errors
/// The chain cannot be read.
pub async fn own_cases(head: &Head, operator: &chasqui_chain::AccountId32) -> Result<Vec<CaseId>> {
    let storage = head.at.storage();
    let mut cases = Vec::new();
    let mut all = storage
        .entry(api::storage().sessions().all_takings())?
        .iter(())
        .await?;
    while let Some(item) = all.next().await {
        let takings = item?.value().decode()?;
        if let TakingsStage::InAudit { case, .. } = takings.stage {
            cases.extend((takings.operator == *operator).then_some(case));
        }
    }
    let mut reports = storage
        .entry(api::storage().sessions().reports())?
        .iter(())
        .await?;
    while let Some(item) = reports.next().await {
        let report = item?.value().decode()?;
        if let ReportStage::InAudit { case } = report.stage {
            let of = report.receipt.receipt.operator;
            cases.extend((of == *operator).then_some(case));
        }
    }
    Ok(cases)
}
