//! Reading an operator's duties from the chain's state at one block.

use super::{Duty, DutyStage};
use crate::view::{self, fetch};
use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, Head};
use chasqui_primitives::{audit::Stage, CaseId, JobId};

/// The operator that a key signs for.
pub async fn operator_of(head: &Head, signer: &AccountId32) -> Result<Option<AccountId32>> {
    if let Some(operator) = fetch!(head, api::storage().operators().hot_keys(), (*signer,)) {
        return Ok(Some(operator));
    }
    let own = fetch!(head, api::storage().operators().operators(), (*signer,));
    Ok(own.map(|_| *signer))
}

/// Everything that `operator` owes at this block.
pub async fn find(head: &Head, operator: &AccountId32) -> Result<Vec<Duty>> {
    let mut duties = Vec::new();
    audits(head, operator, &mut duties)
        .await
        .context("reading audit duties")?;
    jobs(head, operator, &mut duties)
        .await
        .context("reading jobs")?;
    calibrations(head, operator, &mut duties)
        .await
        .context("reading calibrations")?;
    Ok(duties)
}

async fn jobs(head: &Head, operator: &AccountId32, duties: &mut Vec<Duty>) -> Result<()> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().jobs().assignments())?;
    let mut assigned = entry.iter((*operator,)).await?;
    let mut ids: Vec<JobId> = Vec::new();
    while let Some(item) = assigned.next().await {
        ids.push(item?.key()?.decode()?.1);
    }
    for id in ids {
        let Some(job) = view::job(head, id).await? else {
            continue;
        };
        match job.stage {
            stage if stage.awaits_commitment() => duties.push(Duty::Compute { job: id }),
            view::JobPhase::InAudit { case } if opening_demanded(head, case).await? => {
                duties.push(Duty::Opening { case, job: id });
            }
            _ => {}
        }
    }
    Ok(())
}

async fn opening_demanded(head: &Head, case: CaseId) -> Result<bool> {
    use api::runtime_types::pallet_audits::types::Phase;
    let case = fetch!(head, api::storage().audits().cases(), (case,));
    Ok(case.is_some_and(|case| matches!(case.phase, Phase::Opening { .. })))
}

async fn audits(head: &Head, operator: &AccountId32, duties: &mut Vec<Duty>) -> Result<()> {
    use api::runtime_types::pallet_audits::types::Phase;
    let entry = head.at.storage().entry(api::storage().audits().duties())?;
    let mut seats = entry.iter((*operator,)).await?;
    let mut cases: Vec<(CaseId, DutyStage)> = Vec::new();
    while let Some(item) = seats.next().await {
        let item = item?;
        let id = item.key()?.decode()?.1;
        let stage: Stage = item.value().decode()?.0;
        cases.push((id, stage.into()));
    }
    for (id, stage) in cases {
        let Some(case) = fetch!(head, api::storage().audits().cases(), (id,)) else {
            continue;
        };
        let (committed, revealed) = match stage {
            DutyStage::One => case
                .seats
                .0
                .iter()
                .find(|seat| seat.auditor == *operator)
                .map(|seat| (seat.commitment.is_some(), seat.reveal.is_some()))
                .unwrap_or((true, true)),
            DutyStage::Two => {
                let key = (id, *operator);
                fetch!(head, api::storage().audits().ballots(), key)
                    .map(|ballot| (ballot.commitment.is_some(), ballot.vote.is_some()))
                    .unwrap_or((true, true))
            }
        };
        match case.phase {
            Phase::Commit { .. } if !committed && !revealed => {
                duties.push(Duty::Commit { case: id, stage });
            }
            Phase::Reveal { .. } if committed && !revealed => {
                duties.push(Duty::Reveal { case: id, stage });
            }
            _ => {}
        }
    }
    Ok(())
}

async fn calibrations(head: &Head, operator: &AccountId32, duties: &mut Vec<Duty>) -> Result<()> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().checkpoints().calibration_duties())?;
    let mut owed = entry.iter((*operator,)).await?;
    while let Some(item) = owed.next().await {
        duties.push(Duty::Calibrate {
            root: item?.key()?.decode()?.1,
        });
    }
    Ok(())
}
