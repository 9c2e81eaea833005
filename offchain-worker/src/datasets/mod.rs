//! Datasets on the chain: finding them, submitting and withdrawing them, and who may have one.

pub mod judge;
pub mod outcome;
pub mod shelf;

use crate::{
    blobs::exchange::Holder,
    view::{bounded, fetch},
};
use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head, Signer, H256};
use chasqui_primitives::{traits::DatasetTerms, Balance, DatasetId};
use chasqui_training::diloco::dataset::Header;
use serde_json::{json, Value};
use std::str::FromStr;

/// Most bytes of a licence.
pub const MAX_LICENCE_BYTES: usize = 64;
/// Most bytes of a description.
pub const MAX_DESCRIPTION_BYTES: usize = 512;

type Stored = api::runtime_types::pallet_datasets::types::Dataset<AccountId32, u32>;
type Status = api::runtime_types::pallet_datasets::types::Status;
type Wait = api::runtime_types::pallet_datasets::types::Wait<u32>;
type Endpoint = api::runtime_types::pallet_operators::types::Endpoint;
type ChainTerms = api::runtime_types::chasqui_primitives::traits::DatasetTerms;

/// A dataset as people name it: by its number, or by the root of its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Its number on the chain.
    Number(DatasetId),
    /// Its blob's root.
    Root(H256),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        H256::from_str(text).map(Self::Root).map_err(|_| {
            format!(
                "'{text}' is neither a dataset's number nor a root (0x and 64 hexadecimal digits)"
            )
        })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Root(root) => write!(f, "{root:?}"),
        }
    }
}

/// A registered dataset.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number.
    pub number: DatasetId,
    stored: Stored,
}

impl Record {
    /// Root of its blob.
    pub fn root(&self) -> H256 {
        self.stored.root
    }

    /// Who submitted it.
    pub fn submitter(&self) -> AccountId32 {
        self.stored.submitter
    }

    /// What was stated of it.
    pub fn terms(&self) -> DatasetTerms {
        let terms = &self.stored.terms;
        DatasetTerms {
            bytes: terms.bytes,
            tokens: terms.tokens,
            held_out: terms.held_out,
            vocabulary: terms.vocabulary,
            tokenizer: terms.tokenizer,
        }
    }

    /// What is left of its deposit on hold, in planck.
    pub fn deposit(&self) -> Balance {
        self.stored.deposit
    }

    /// Whether runs may use it.
    pub fn is_usable(&self) -> bool {
        self.stored.status == Status::Usable
    }

    /// As commands print it.
    pub fn json(&self) -> Value {
        let Stored { terms, .. } = &self.stored;
        let status = match self.stored.status {
            Status::Undecided => "undecided",
            Status::Usable => "usable",
            Status::Leaving => "leaving",
        };
        json!({
            "dataset": self.number,
            "root": format!("{:?}", self.stored.root),
            "status": status,
            "submitter": self.stored.submitter.to_string(),
            "bytes": terms.bytes,
            "tokens": terms.tokens,
            "heldOut": terms.held_out,
            "vocabulary": terms.vocabulary,
            "tokenizer": format!("{:?}", terms.tokenizer),
            "licence": String::from_utf8_lossy(&self.stored.licence.0),
            "description": String::from_utf8_lossy(&self.stored.description.0),
            "deposit": self.stored.deposit.to_string(),
            "submittedAt": self.stored.submitted_at,
            "runs": self.stored.runs,
        })
    }
}

/// What the header of a dataset states of it.
pub fn terms_of(header: &Header) -> DatasetTerms {
    DatasetTerms {
        bytes: header.bytes(),
        tokens: header.tokens,
        held_out: header.held_out,
        vocabulary: header.vocabulary,
        tokenizer: header.tokenizer,
    }
}

/// A dataset by number.
pub async fn by_number(head: &Head, number: DatasetId) -> Result<Option<Record>> {
    let stored = fetch!(head, api::storage().datasets().registry(), (number,));
    Ok(stored.map(|stored| Record { number, stored }))
}

/// A dataset, `None` where none is registered under that name.
pub async fn find(head: &Head, named: &Named) -> Result<Option<Record>> {
    let number = match named {
        Named::Number(number) => Some(*number),
        Named::Root(root) => fetch!(head, api::storage().datasets().roots(), (*root,)),
    };
    match number {
        Some(number) => by_number(head, number).await,
        None => Ok(None),
    }
}

/// All registered datasets, by number.
pub async fn all(head: &Head) -> Result<Vec<Record>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().datasets().registry())?;
    let mut items = entry.iter(()).await?;
    let mut all = Vec::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let number = item.key()?.decode()?.0;
        let stored = item.value().decode()?;
        all.push(Record { number, stored });
    }
    all.sort_unstable_by_key(|record| record.number);
    Ok(all)
}

/// The roots of all registered datasets.
pub async fn roots(head: &Head) -> Result<Vec<H256>> {
    let entry = head.at.storage().entry(api::storage().datasets().roots())?;
    let mut items = entry.iter(()).await?;
    let mut roots = Vec::new();
    while let Some(item) = items.next().await {
        roots.push(item?.key()?.decode()?.0);
    }
    Ok(roots)
}

/// What an undecided dataset waits for, as commands print it; `None` for one that is decided.
pub async fn waits_for(head: &Head, number: DatasetId) -> Result<Option<Value>> {
    let list = fetch!(head, api::storage().datasets().undecided_datasets(), ());
    let undecided = list.into_iter().flat_map(|list| list.0);
    let found = undecided.into_iter().find(|entry| entry.dataset == number);
    Ok(found.map(|entry| {
        let mut waits = match entry.wait {
            Wait::Pause { until } => json!({ "for": "another try", "block": until }),
            Wait::Draw { due } => {
                json!({ "for": "the draw of its auditors", "relayBlock": due })
            }
            Wait::Case(case) => json!({ "for": "the verdict of a case", "case": case }),
        };
        waits["failedTries"] = json!(entry.failed);
        waits
    }))
}

/// Runs that use a dataset now, and what each has made of it.
pub async fn uses(head: &Head, number: DatasetId) -> Result<Vec<Value>> {
    let entry = head.at.storage().entry(api::storage().datasets().uses())?;
    let mut items = entry.iter((number,)).await?;
    let mut uses = Vec::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let run = item.key()?.decode()?.1;
        let made = item.value().decode()?;
        uses.push(json!({
            "run": run,
            "units": made.units.to_string(),
            "paid": made.paid.to_string(),
            "points": made.points,
        }));
    }
    Ok(uses)
}

/// Submits a dataset; the deposit goes on hold. Returns its number and the deposit in planck.
///
/// # Errors
/// The licence or the description is too long, or the chain refuses.
pub async fn submit(
    chain: &Chain,
    signer: &Signer,
    root: H256,
    terms: &DatasetTerms,
    licence: &str,
    description: &str,
) -> Result<(DatasetId, Balance)> {
    let call = api::tx().datasets().submit(
        root,
        ChainTerms {
            bytes: terms.bytes,
            tokens: terms.tokens,
            held_out: terms.held_out,
            vocabulary: terms.vocabulary,
            tokenizer: terms.tokenizer,
        },
        bounded("--licence", licence.as_bytes(), MAX_LICENCE_BYTES)?,
        bounded(
            "--description",
            description.as_bytes(),
            MAX_DESCRIPTION_BYTES,
        )?,
    );
    let included = chain.submit(signer, &call).await?;
    let event = included
        .events
        .find_first::<api::datasets::events::Submitted>()
        .context("the dataset was submitted, but no event names it")??;
    Ok((event.dataset, event.deposit))
}

/// Takes a dataset back; the deposit returns.
pub async fn withdraw(chain: &Chain, signer: &Signer, number: DatasetId) -> Result<()> {
    let call = api::tx().datasets().withdraw(number);
    chain.submit(signer, &call).await?;
    Ok(())
}

/// Who may have the blob of a dataset, at most `most`, without `except`: the operators of its submitter first, because it is
/// for them to serve it, then any others, because whoever has no operator gives it to one that hands it out.
pub async fn holders(
    head: &Head,
    submitter: &AccountId32,
    except: Option<&AccountId32>,
    most: usize,
) -> Result<Vec<Holder>> {
    let operators = || api::storage().operators().operators();
    let mut found: Vec<(AccountId32, Option<Holder>)> = Vec::new();
    for operator in operators_of(head, submitter).await? {
        if let Some(record) = fetch!(head, operators(), (operator,)) {
            found.push((operator, holder(record.endpoint)));
        }
    }
    let entry = head.at.storage().entry(operators())?;
    let mut items = entry.iter(()).await?;
    while found.len() <= most {
        let Some(item) = items.next().await else {
            break;
        };
        let item = item?;
        let operator: AccountId32 = item.key()?.decode()?.0;
        if found.iter().all(|(known, _)| *known != operator) {
            found.push((operator, holder(item.value().decode()?.endpoint)));
        }
    }
    let others = found.into_iter().filter(|(who, _)| Some(who) != except);
    Ok(others.filter_map(|(_, holder)| holder).take(most).collect())
}

/// Who may have the blob `root`, where that is a registered dataset; nobody where it is not. As [`holders`].
pub async fn holders_of(
    head: &Head,
    root: &H256,
    except: Option<&AccountId32>,
    most: usize,
) -> Result<Vec<Holder>> {
    match find(head, &Named::Root(*root)).await? {
        Some(record) => holders(head, &record.submitter(), except, most).await,
        None => Ok(Vec::new()),
    }
}

/// Where an operator is reached; `None` where its endpoint is no text: nobody can reach that.
fn holder(endpoint: Endpoint) -> Option<Holder> {
    let url = String::from_utf8(endpoint.url.0).ok()?;
    Some(Holder {
        url,
        tls_key: endpoint.tls_key,
    })
}

/// The operators that an account is, owns, or shares an owner with.
pub async fn operators_of(head: &Head, account: &AccountId32) -> Result<Vec<AccountId32>> {
    let record = fetch!(head, api::storage().operators().operators(), (*account,));
    let is_operator = record.is_some();
    let owner = record.map_or(*account, |record| record.owner);
    let mut operators: Vec<AccountId32> = is_operator.then_some(*account).into_iter().collect();
    let entry = head
        .at
        .storage()
        .entry(api::storage().operators().operators_of_owner())?;
    let mut items = entry.iter((owner,)).await?;
    while let Some(item) = items.next().await {
        let operator: AccountId32 = item?.key()?.decode()?.1;
        if !operators.contains(&operator) {
            operators.push(operator);
        }
    }
    Ok(operators)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_named_by_number_or_root() {
        // GIVEN what people write THEN it means that, and anything else is refused with what is expected
        let root = format!("0x{}", "11".repeat(32));
        assert_eq!("7".parse(), Ok(Named::Number(7)));
        assert_eq!(root.parse(), Ok(Named::Root(H256::repeat_byte(0x11))));
        for wrong in ["", "-1", "0x11", "tales", "4294967296"] {
            let error = wrong.parse::<Named>().unwrap_err();
            assert!(error.contains("root"), "{error}");
        }
    }
}
