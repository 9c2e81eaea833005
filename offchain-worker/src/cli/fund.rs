//! `fund`: what pays for training.

use super::options::{format_dot, JsonOption, NodeOptions};
use crate::view::fetch;
use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, Head};
use chasqui_primitives::Balance;
use serde_json::{json, Value};

/// The training fund: a fifth of every fee.
#[derive(Debug, clap::Subcommand)]
pub enum FundCommand {
    /// Show its account, what is free, what is earmarked for runs and grants, and until when its share is locked.
    Status {
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
}

impl FundCommand {
    pub async fn run(self) -> Result<()> {
        let Self::Status { node, json } = self;
        let chain = node.connect().await?;
        let value = status(&chain.head().await?).await?;
        json.print(&value, || {
            let dot = |field: &str| {
                let planck = value[field].as_str().and_then(|text| text.parse().ok());
                planck.map_or("-".into(), format_dot)
            };
            println!("account {}", value["account"].as_str().unwrap_or("-"));
            println!("balance {}", dot("balance"));
            println!("  free       {}", dot("free"));
            println!("  for runs   {}", dot("forRuns"));
            println!("  for grants {}", dot("forGrants"));
            for run in value["runs"].as_array().into_iter().flatten() {
                let planck = |field: &str| {
                    let planck = run[field].as_str().and_then(|text| text.parse().ok());
                    planck.map_or("-".into(), format_dot)
                };
                println!(
                    "run {}: {} left, {} paid",
                    run["run"],
                    planck("left"),
                    planck("paid")
                );
            }
            println!(
                "nobody changes its share before block {}",
                value["shareLockedUntil"]
            );
        });
        Ok(())
    }
}

/// The account that belongs to a pallet, as the chain derives it.
fn account_of(pallet: [u8; 8]) -> AccountId32 {
    let mut account = [0u8; 32];
    let (kind, rest) = account.split_at_mut(4);
    kind.copy_from_slice(b"modl");
    rest[..8].copy_from_slice(&pallet);
    AccountId32(account)
}

/// The fund at one block.
async fn status(head: &Head) -> Result<Value> {
    let constants = head.at.constants();
    let entry = "this node's runtime is not the one this program was built for";
    let pallet = constants
        .entry(api::constants().training_fund().pallet_id())
        .context(entry)?;
    let lock = constants
        .entry(api::constants().rewards().fund_share_lock())
        .context(entry)?;
    let kept: Balance = constants
        .entry(api::constants().balances().existential_deposit())
        .context(entry)?;
    let account = account_of(pallet.0);
    let balance: Balance = fetch!(head, api::storage().system().account(), (account.0.into(),))
        .map_or(0, |found| found.data.free);
    let runs: Balance = fetch!(
        head,
        api::storage().training_fund().earmarked_for_runs(),
        ()
    )
    .unwrap_or(0);
    let grants: Balance = fetch!(
        head,
        api::storage().training_fund().earmarked_for_grants(),
        ()
    )
    .unwrap_or(0);
    let mut budgets = Vec::new();
    let entry = head
        .at
        .storage()
        .entry(api::storage().training_fund().runs())?;
    let mut items = entry.iter(()).await?;
    while let Some(item) = items.next().await {
        let item = item?;
        let (run, budget) = (item.key()?.decode()?.0, item.value().decode()?);
        budgets.push(json!({
            "run": run,
            "left": budget.left.to_string(),
            "paid": budget.paid.to_string(),
        }));
    }
    let free = balance
        .saturating_sub(kept)
        .saturating_sub(runs)
        .saturating_sub(grants);
    Ok(json!({
        "account": account.to_string(),
        "balance": balance.to_string(),
        "free": free.to_string(),
        "forRuns": runs.to_string(),
        "forGrants": grants.to_string(),
        "runs": budgets,
        "shareLockedUntil": lock,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_funds_account_is_the_one_that_the_chain_derives() {
        // GIVEN the pallet's id as the runtime has it THEN the account is the well-known form
        let account = account_of(*b"ch/trfnd");
        assert_eq!(&account.0[..12], b"modlch/trfnd");
        assert_eq!(account.0[12..], [0; 20]);
    }
}
