//! Reading an operator's duties from the chain's state at one block.

use super::{Duty, DutyStage};
use crate::{
    sessions::cases::own_cases,
    view::{self, fetch},
};
use anyhow::{Context, Result};
use chasqui_chain::{
    api::{self, runtime_types::pallet_audits::types::Phase},
    AccountId32, Head,
};
use chasqui_primitives::{audit::Stage, CaseId, JobId};

/// The operator that a key signs for.
pub async fn operator_of(head: &Head, signer: &AccountId32) -> Result<Option<AccountId32>> {
    if let Some(operator) = fetch!(head, api::storage().operators().hot_keys(), (*signer,)) {
        return Ok(Some(operator));
    }
    let own = fetch!(head, api::storage().operators().operators(), (*signer,));
    Ok(own.map(|_| *signer))
}

/// What stands in an operator's account of duties at one block.
#[derive(Debug, Default)]
pub struct Owed {
    pub duties: Vec<Duty>,
    /// The next block at which one of its jobs or cases moves on by itself.
    pub deadline: Option<u32>,
}

impl Owed {
    fn lapses_at(&mut self, block: u32) {
        self.deadline = Some(self.deadline.map_or(block, |earlier| earlier.min(block)));
    }
}

/// Everything that `operator` owes at this block.
pub async fn find(head: &Head, operator: &AccountId32) -> Result<Vec<Duty>> {
    Ok(owed(head, operator).await?.duties)
}

/// As [`find`], with the next deadline.
pub async fn owed(head: &Head, operator: &AccountId32) -> Result<Owed> {
    let mut owed = Owed::default();
    audits(head, operator, &mut owed)
        .await
        .context("reading audit duties")?;
    jobs(head, operator, &mut owed)
        .await
        .context("reading jobs")?;
    sessions(head, operator, &mut owed)
        .await
        .context("reading sessions")?;
    calibrations(head, operator, &mut owed)
        .await
        .context("reading calibrations")?;
    Ok(owed)
}

async fn jobs(head: &Head, operator: &AccountId32, owed: &mut Owed) -> Result<()> {
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
            view::JobPhase::Assigned { deadline } | view::JobPhase::Acknowledged { deadline } => {
                owed.lapses_at(deadline);
                owed.duties.push(Duty::Compute { job: id });
            }
            view::JobPhase::InAudit { case } => {
                if let Some(until) = opening_demanded(head, case).await? {
                    owed.lapses_at(until);
                    owed.duties.push(Duty::Opening { case });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

async fn sessions(head: &Head, operator: &AccountId32, owed: &mut Owed) -> Result<()> {
    for case in own_cases(head, operator).await? {
        if let Some(until) = opening_demanded(head, case).await? {
            owed.lapses_at(until);
            owed.duties.push(Duty::Opening { case });
        }
    }
    Ok(())
}

/// Until when the executor of this case has to post its opening, if it has to.
async fn opening_demanded(head: &Head, case: CaseId) -> Result<Option<u32>> {
    let case = fetch!(head, api::storage().audits().cases(), (case,));
    Ok(case.and_then(|case| match case.phase {
        Phase::Opening { until } => Some(until),
        _ => None,
    }))
}

async fn audits(head: &Head, operator: &AccountId32, owed: &mut Owed) -> Result<()> {
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
        let (Phase::Commit { until }
        | Phase::Reveal { until }
        | Phase::Opening { until }
        | Phase::AwaitSeed { until, .. }) = case.phase;
        owed.lapses_at(until);
        let round = case.round;
        match case.phase {
            Phase::Commit { .. } if !committed && !revealed => {
                let case = id;
                owed.duties.push(Duty::Commit { case, stage, round });
            }
            Phase::Reveal { .. } if committed && !revealed => {
                let case = id;
                owed.duties.push(Duty::Reveal { case, stage, round });
            }
            _ => {}
        }
    }
    Ok(())
}

async fn calibrations(head: &Head, operator: &AccountId32, owed: &mut Owed) -> Result<()> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().checkpoints().calibration_duties())?;
    let mut drawn = entry.iter((*operator,)).await?;
    while let Some(item) = drawn.next().await {
        owed.duties.push(Duty::Calibrate {
            root: item?.key()?.decode()?.1,
        });
    }
    Ok(())
}
