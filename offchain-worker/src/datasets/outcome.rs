//! What becomes of a submitted dataset, from the events of blocks.

use anyhow::Result;
use chasqui_chain::{api, Chain};
use chasqui_primitives::{Balance, CaseId, DatasetId};

/// What a block tells of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Auditors look at it.
    InAudit {
        /// Their case.
        case: CaseId,
    },
    /// A try came to nothing, one of `failed`; another follows.
    TriedInVain {
        /// How many there were.
        failed: u32,
    },
    /// It is decided.
    Decided(Outcome),
}

/// How it ends for a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Runs may use it.
    Usable,
    /// It is not what was stated, and gone.
    Rejected {
        /// So many planck of the deposit are lost.
        lost: Balance,
    },
    /// Every try came to nothing: it is gone.
    SentBack,
    /// Its submitter took it back.
    Withdrawn,
    /// The chain's admin took it off the list.
    Delisted,
}

/// What block `number` tells of a dataset.
///
/// # Errors
/// The node does not answer, or has forgotten the block.
pub async fn block(chain: &Chain, dataset: DatasetId, number: u32) -> Result<Vec<Told>> {
    use api::datasets::events;
    let head = chain.at(number).await?;
    let found = head.at.events().fetch().await?;
    let mut told = Vec::new();
    for event in found.iter() {
        let event = event?;
        if event.pallet_name() != "Datasets" {
            continue;
        }
        let (of, what) = match event.event_name() {
            "InAudit" => {
                let event: events::InAudit = event.decode_fields_unchecked_as()?;
                (event.dataset, Told::InAudit { case: event.case })
            }
            "TriedInVain" => {
                let event: events::TriedInVain = event.decode_fields_unchecked_as()?;
                let failed = event.failed;
                (event.dataset, Told::TriedInVain { failed })
            }
            "Usable" => {
                let event: events::Usable = event.decode_fields_unchecked_as()?;
                (event.dataset, Told::Decided(Outcome::Usable))
            }
            "Rejected" => {
                let event: events::Rejected = event.decode_fields_unchecked_as()?;
                let lost = event.lost;
                (event.dataset, Told::Decided(Outcome::Rejected { lost }))
            }
            "SentBack" => {
                let event: events::SentBack = event.decode_fields_unchecked_as()?;
                (event.dataset, Told::Decided(Outcome::SentBack))
            }
            "Withdrawn" => {
                let event: events::Withdrawn = event.decode_fields_unchecked_as()?;
                (event.dataset, Told::Decided(Outcome::Withdrawn))
            }
            "Delisted" => {
                let event: events::Delisted = event.decode_fields_unchecked_as()?;
                (event.dataset, Told::Decided(Outcome::Delisted))
            }
            _ => continue,
        };
        if of == dataset {
            told.push(what);
        }
    }
    Ok(told)
}

/// Follows a dataset from behind block `seen` until it is decided; `tell` hears what happens on the way.
///
/// # Errors
/// As [`block`].
pub async fn follow(
    chain: &Chain,
    dataset: DatasetId,
    mut seen: u32,
    mut tell: impl FnMut(&Told),
) -> Result<Outcome> {
    loop {
        let head = chain.next_head(seen).await?;
        for number in seen.saturating_add(1)..=head.number {
            for told in block(chain, dataset, number).await? {
                match told {
                    Told::Decided(outcome) => return Ok(outcome),
                    told => tell(&told),
                }
            }
        }
        seen = head.number;
    }
}
