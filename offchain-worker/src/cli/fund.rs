//! `fund`: what pays for training.

use super::options::{format_dot, JsonOption, NodeOptions};
use crate::view::fetch;
use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, Head};
use chasqui_primitives::{money::Shares, Balance};
use serde_json::{json, Value};

type Grant = api::runtime_types::pallet_training_fund::types::Grant<AccountId32, u32>;
type MilestoneState = api::runtime_types::pallet_training_fund::types::MilestoneState<u32>;

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
            for grant in value["grants"].as_array().into_iter().flatten() {
                print_grant(grant);
            }
            let share = value["sharePercent"].as_f64().unwrap_or_default();
            println!(
                "its share of every fee is {share}%, and nobody changes that before block {}",
                value["shareLockedUntil"]
            );
        });
        Ok(())
    }
}

fn print_grant(grant: &Value) {
    let dot = |value: &Value| {
        let planck = value.as_str().and_then(|text| text.parse().ok());
        planck.map_or("-".into(), format_dot)
    };
    let text = |value: &Value| value.as_str().unwrap_or("-").to_string();
    println!(
        "grant {}: {} left, {} paid, to {}",
        grant["grant"],
        dot(&grant["left"]),
        dot(&grant["paid"]),
        text(&grant["beneficiary"])
    );
    let milestones = grant["milestones"].as_array().into_iter().flatten();
    for (index, milestone) in milestones.enumerate() {
        let proof = match milestone["evidence"].as_str() {
            Some(evidence) => format!(", by {evidence} in block {}", milestone["provenAt"]),
            None => String::new(),
        };
        println!(
            "  milestone {index}: {}, {}{proof}, due by block {}, described by {}",
            dot(&milestone["amount"]),
            text(&milestone["state"]),
            milestone["deadline"],
            text(&milestone["description"])
        );
    }
}

/// A grant as commands print it.
fn grant_json(number: u32, grant: &Grant) -> Value {
    let (mut left, mut paid): (Balance, Balance) = (0, 0);
    let mut milestones = Vec::new();
    for milestone in &grant.milestones.0 {
        let amount = milestone.terms.amount;
        let (state, evidence) = match &milestone.state {
            MilestoneState::Open => ("open", None),
            MilestoneState::Proven { evidence, at } => ("proven", Some((*evidence, *at))),
            MilestoneState::Paid => ("paid", None),
            MilestoneState::Lapsed => ("lapsed", None),
        };
        match state {
            "paid" => paid = paid.saturating_add(amount),
            "lapsed" => {}
            _ => left = left.saturating_add(amount),
        }
        milestones.push(json!({
            "amount": amount.to_string(),
            "state": state,
            "description": format!("{:?}", milestone.terms.description),
            "deadline": milestone.terms.deadline,
            "evidence": evidence.map(|(root, _)| format!("{root:?}")),
            "provenAt": evidence.map(|(_, at)| at),
        }));
    }
    json!({
        "grant": number,
        "beneficiary": grant.beneficiary.to_string(),
        "createdAt": grant.created_at,
        "left": left.to_string(),
        "paid": paid.to_string(),
        "milestones": milestones,
    })
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
    // Parts per billion; the chain's default while nobody has set it.
    let shares = fetch!(head, api::storage().rewards().fee_shares(), ());
    let share = shares.map_or_else(
        || Shares::default().fund.deconstruct(),
        |shares| shares.fund.0,
    );
    let share = f64::from(share) / 1e7;
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
    let entry = head
        .at
        .storage()
        .entry(api::storage().training_fund().grants())?;
    let mut items = entry.iter(()).await?;
    let mut made = Vec::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let number = item.key()?.decode()?.0;
        made.push((number, item.value().decode()?));
    }
    made.sort_unstable_by_key(|(number, _)| *number);
    budgets.sort_unstable_by_key(|budget: &Value| budget["run"].as_u64());
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
        "grants": made.iter().map(|(number, grant)| grant_json(*number, grant)).collect::<Vec<_>>(),
        "sharePercent": share,
        "shareLockedUntil": lock,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::bounded;
    use chasqui_chain::H256;

    type Milestone = api::runtime_types::pallet_training_fund::types::Milestone<u32>;
    type Terms = api::runtime_types::pallet_training_fund::types::MilestoneTerms<u32>;

    #[test]
    fn a_grant_tells_what_is_paid_and_what_is_left() {
        // GIVEN a grant with a milestone in each state WHEN it is shown
        let evidence = H256::repeat_byte(9);
        let states = [
            MilestoneState::Paid,
            MilestoneState::Open,
            MilestoneState::Proven { evidence, at: 7 },
            MilestoneState::Lapsed,
        ];
        let milestones = (1u128..).zip(states).map(|(amount, state)| Milestone {
            terms: Terms {
                amount,
                description: H256::zero(),
                deadline: 90,
            },
            state,
        });
        let grant = Grant {
            beneficiary: AccountId32([3; 32]),
            created_at: 5,
            milestones: bounded("milestones", &milestones.collect::<Vec<_>>(), 16).unwrap(),
        };
        let shown = grant_json(4, &grant);
        // THEN what is open or proven is left, what is paid is paid, and what lapsed is neither
        assert_eq!((&shown["paid"], &shown["left"]), (&json!("1"), &json!("5")));
        let proven = &shown["milestones"][2];
        assert_eq!(proven["state"], "proven");
        assert_eq!(proven["provenAt"], 7);
        assert_eq!(proven["evidence"], format!("{evidence:?}"));
        assert_eq!(shown["milestones"][3]["state"], "lapsed");
    }

    #[test]
    fn the_funds_account_is_the_one_that_the_chain_derives() {
        // GIVEN the pallet's id as the runtime has it THEN the account is the well-known form
        let account = account_of(*b"ch/trfnd");
        assert_eq!(&account.0[..12], b"modlch/trfnd");
        assert_eq!(account.0[12..], [0; 20]);
    }
}
