//! What validators say on chain that checkpoints lose.

use std::collections::BTreeMap;

use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head, Signer, H256};
use chasqui_primitives::{Balance, CheckpointRoot};
use serde_json::{json, Value};

use crate::{datasets, duties::operator_of, view::fetch};

type Stored = api::runtime_types::pallet_training::types::Evaluation<AccountId32>;
type EvaluationResult = api::runtime_types::pallet_training::types::EvaluationResult;
type CheckpointStatus = api::runtime_types::pallet_checkpoints::types::Status;
type OperatorStatus = api::runtime_types::pallet_operators::types::Status<u32>;

/// What one validator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The validator's bonded account.
    pub by: AccountId32,
    /// The dataset's blob root.
    pub dataset: H256,
    /// Predictions.
    pub tokens: u64,
    /// Mean loss, millionths of a nat a token.
    pub loss_micro: u64,
    /// Block in which it said so.
    pub at: u32,
    /// On hold for it, in planck.
    pub deposit: Balance,
}

impl From<Stored> for Attested {
    fn from(stored: Stored) -> Self {
        Self {
            by: stored.by,
            dataset: stored.dataset,
            tokens: stored.result.tokens,
            loss_micro: stored.result.loss_micro,
            at: stored.at,
            deposit: stored.deposit,
        }
    }
}

/// What validators say of a checkpoint.
pub async fn of(head: &Head, root: &CheckpointRoot) -> Result<Vec<Attested>> {
    let list = fetch!(head, api::storage().training().evaluations(), (*root,));
    let list = list.map(|list| list.0).unwrap_or_default();
    Ok(list.into_iter().map(Attested::from).collect())
}

/// The middle one of some losses, or halfway between the two in the middle (rounded down); `None` of none. A few that lie do
/// not move it far.
pub fn median(mut losses: Vec<u64>) -> Option<u64> {
    losses.sort_unstable();
    let upper = *losses.get(losses.len() / 2)?;
    if losses.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = losses.get((losses.len() / 2).saturating_sub(1))?;
    Some(lower.midpoint(upper))
}

/// What validators say, dataset by dataset, as commands print it: the median, and each with `with_each`.
pub fn by_dataset(all: &[Attested], with_each: bool) -> Vec<Value> {
    let mut datasets: BTreeMap<H256, Vec<&Attested>> = BTreeMap::new();
    for one in all {
        datasets.entry(one.dataset).or_default().push(one);
    }
    let shown = datasets.into_iter().map(|(dataset, mut said)| {
        said.sort_by_key(|one| (one.loss_micro, one.by.0));
        let middle = median(said.iter().map(|one| one.loss_micro).collect()).unwrap_or_default();
        let mut value = json!({
            "dataset": format!("{dataset:?}"),
            "validators": said.len(),
            "medianLossMicro": middle,
            "medianLoss": nats(middle),
            "medianPerplexity": nats(middle).exp(),
        });
        if with_each {
            let each: Vec<Value> = said.iter().map(|one| one.json()).collect();
            value["evaluations"] = json!(each);
        }
        value
    });
    shown.collect()
}

/// Millionths of a nat as nats.
fn nats(micro: u64) -> f64 {
    micro as f64 / 1e6
}

impl Attested {
    fn json(&self) -> Value {
        json!({
            "validator": self.by.to_string(),
            "tokens": self.tokens,
            "lossMicro": self.loss_micro,
            "loss": nats(self.loss_micro),
            "block": self.at,
            "deposit": self.deposit.to_string(),
        })
    }
}

/// Whether the chain will take an evaluation by this key, before anybody computes one; the operator that it signs for.
///
/// # Errors
/// What stands in the way, and what to do about it.
pub async fn check(
    head: &Head,
    signer: &AccountId32,
    root: &CheckpointRoot,
    dataset: &H256,
) -> Result<AccountId32> {
    let operator = operator_of(head, signer).await?.with_context(|| {
        format!(
            "{signer} is neither an operator nor an operator's hot key: only validators attest evaluations \
             (`chasqui-worker operator register`)"
        )
    })?;
    let record = fetch!(head, api::storage().operators().operators(), (operator,));
    let record = record.with_context(|| format!("{operator} is no operator"))?;
    ensure!(
        matches!(record.status, OperatorStatus::Active),
        "{operator} is jailed or leaves, so it attests nothing now: see `chasqui-worker operator status`"
    );
    ensure!(
        record.roles.0.validate,
        "{operator} has not the role validate: only validators attest evaluations"
    );
    ensure!(
        record.checkpoints.0.contains(root),
        "{operator} does not serve {root:?}: declare it first (`chasqui-worker operator serve --checkpoint {root:?}`)"
    );
    let checkpoint = fetch!(head, api::storage().checkpoints().registry(), (*root,));
    ensure!(
        checkpoint.is_some_and(|found| found.status != CheckpointStatus::Retired),
        "checkpoint {root:?} is not registered, or retired: see `chasqui-worker checkpoint list`"
    );
    let found = datasets::find(head, &datasets::Named::Root(*dataset)).await?;
    ensure!(
        found.is_some_and(|record| record.is_usable()),
        "dataset {dataset:?} is not one that validators found usable: see `chasqui-worker dataset list`"
    );
    Ok(operator)
}

/// States a loss; a deposit goes on hold with the first one. Again, to replace it.
///
/// # Errors
/// The chain refuses.
pub async fn attest(
    chain: &Chain,
    signer: &Signer,
    root: CheckpointRoot,
    dataset: H256,
    tokens: u64,
    loss_micro: u64,
) -> Result<()> {
    let result = EvaluationResult { tokens, loss_micro };
    let call = api::tx()
        .training()
        .attest_evaluation(root, dataset, result);
    chain.submit(signer, &call).await?;
    Ok(())
}

/// Takes back what was stated; the deposit returns.
///
/// # Errors
/// The chain refuses: nothing was stated.
pub async fn withdraw(
    chain: &Chain,
    signer: &Signer,
    root: CheckpointRoot,
    dataset: H256,
) -> Result<()> {
    let call = api::tx().training().withdraw_evaluation(root, dataset);
    chain.submit(signer, &call).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(by: u8, dataset: u8, loss_micro: u64) -> Attested {
        Attested {
            by: AccountId32([by; 32]),
            dataset: H256::repeat_byte(dataset),
            tokens: 10,
            loss_micro,
            at: 1,
            deposit: 5,
        }
    }

    // GIVEN losses in any order, odd and even in number, and as large as any
    // WHEN their median is asked for
    // THEN it is the middle, and none of none
    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(vec![7]), Some(7));
        assert_eq!(median(vec![9, 1, 3]), Some(3));
        assert_eq!(median(vec![4, 1]), Some(2));
        assert_eq!(median(vec![u64::MAX, u64::MAX]), Some(u64::MAX));
    }

    // GIVEN what validators say of two datasets, one of them far off
    // WHEN it is shown
    // THEN each dataset has a median of its own, which the liar hardly moves
    #[test]
    fn each_dataset_has_its_median() {
        let all = [
            said(1, 7, 2_000_000),
            said(2, 7, 2_000_002),
            said(3, 7, 900_000_000),
            said(1, 3, 1_000_000),
        ];
        let shown = by_dataset(&all, true);
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0]["medianLoss"], 1.0);
        assert_eq!(shown[1]["medianLossMicro"], 2_000_002);
        assert_eq!(shown[1]["validators"], 3);
        assert_eq!(shown[1]["evaluations"][2]["lossMicro"], 900_000_000u64);
        assert!(by_dataset(&all, false)[0].get("evaluations").is_none());
    }
}
