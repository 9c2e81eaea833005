//! `train status`: what the chain says of runs.

use crate::{
    cli::options::{format_dot, JsonOption, NodeOptions},
    training::{
        history::History,
        member::{
            facts::{deadline, phase_name},
            onchain,
        },
    },
    view::fetch,
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, Chain, Head};
use chasqui_primitives::{
    training::{rank_of, Judged, List},
    RunId,
};
use serde_json::{json, Value};

/// Blocks that are read for what members were paid and told, unless told otherwise.
const BLOCKS: u32 = 2_000;

/// Show runs.
#[derive(Debug, clap::Args)]
pub struct StatusCommand {
    /// The run. Default: all of them, in short.
    #[arg(value_name = "RUN")]
    pub run: Option<RunId>,
    /// Most blocks to read for what happened, the newest ones.
    #[arg(long, default_value_t = BLOCKS)]
    pub blocks: u32,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl StatusCommand {
    pub async fn run(self) -> Result<()> {
        let chain = self.node.connect().await?;
        let head = chain.head().await?;
        match self.run {
            Some(run) => {
                let Some(mut status) = run_json(&chain, &head, run).await? else {
                    bail!("there is no run {run}: see `chasqui-worker train status`");
                };
                let created = status["createdAt"].as_u64().unwrap_or_default() as u32;
                let first = head.number.saturating_sub(self.blocks).max(created);
                let mut history = History::new(run);
                history.read(&chain, first, head.number, |_| {}).await?;
                add_history(&mut status, &history);
                self.json.print(&status, || print(&status));
            }
            None => {
                let next = fetch!(head, api::storage().training().next_run(), ()).unwrap_or(0);
                let mut all = Vec::new();
                for run in 0..next {
                    all.extend(run_json(&chain, &head, run).await?);
                }
                self.json.print(&json!(all), || {
                    if all.is_empty() {
                        println!("no runs");
                    }
                    for run in &all {
                        println!(
                            "{:>4}  {:<9} round {} of {}, {} members, {} rounds final, paid {}",
                            run["run"],
                            text(run, "phase"),
                            run["round"],
                            run["rounds"],
                            run["active"],
                            run["finalRounds"],
                            dot(&run["paid"]),
                        );
                    }
                });
            }
        }
        Ok(())
    }
}

/// What the state says of a run; `None` when there is none.
pub async fn run_json(chain: &Chain, head: &Head, run: RunId) -> Result<Option<Value>> {
    let (Some(terms), Some(state)) = (
        onchain::terms(head, run).await?,
        onchain::run(head, run).await?,
    ) else {
        return Ok(None);
    };
    let around = fetch!(head, api::storage().training().runs(), (run,)).map(|run| run.around);
    let rounds = onchain::rounds(head, run).await?;
    let record = rounds.get(&state.round).filter(|_| state.phase.in_round());
    let contributions = match record {
        Some(_) => onchain::contributions(head, run, state.round).await?,
        None => Default::default(),
    };
    let mut members = Vec::new();
    for (who, member) in onchain::members(head, run).await? {
        let rank = record.and_then(|record| {
            let active = member.list == List::Active;
            rank_of(&record.seed?, member.slot, record.members).filter(|_| active)
        });
        let own = rank.and_then(|rank| contributions.get(&rank));
        let did = own.map_or("nothing yet", |own| {
            match (own.judged, own.commitment, own.report) {
                (Judged::Accepted, ..) if own.vote.is_some() => "agreed",
                (Judged::Accepted, ..) => "accepted",
                (Judged::Refused, ..) => "not accepted",
                (Judged::Convicted, ..) => "proven false",
                (_, _, Some(_)) if own.attests.is_some() => "attested",
                (_, _, Some(_)) => "revealed",
                (_, Some(_), None) => "committed",
                (_, None, None) => "nothing yet",
            }
        });
        members.push(json!({
            "operator": who.to_string(),
            "list": match member.list {
                List::Active => "active",
                List::Waiting if member.ready => "ready",
                List::Waiting => "waiting",
                List::Banned => "banned",
            },
            "leaves": member.exit.is_some(),
            "rank": rank,
            "did": did,
            "loss": own.and_then(|own| own.report).map(|report| report.loss_micro as f64 / 1e6),
            "missed": member.missed,
            "lastAccepted": member.carried.map(|carried| carried.round),
        }));
    }
    let made = around.as_ref().and_then(|around| around.made.as_ref());
    Ok(Some(json!({
        "run": run,
        "root": format!("{:?}", terms.root(&chain.genesis(), run)),
        "block": head.number,
        "phase": phase_name(&state.phase),
        "detail": format!("{:?}", state.phase),
        "deadline": deadline(&state.phase),
        "round": state.round,
        "rounds": terms.rounds,
        "finalRounds": state.finals,
        "voidInARow": state.voids,
        "active": state.active,
        "waiting": state.waiting,
        "minMembers": terms.min_members,
        "maxMembers": terms.max_members,
        "roundMembers": record.map(|record| record.members),
        "committed": record.map(|record| record.committed),
        "revealed": record.map(|record| record.revealed),
        "accepted": record.map(|record| record.accepted),
        "tokensPerMemberAndRound": terms.recipe.tokens_per_round(),
        "dataset": format!("{:?}", terms.dataset),
        "roundPay": terms.round_pay.to_string(),
        "budget": terms.budget().unwrap_or_default().to_string(),
        "paid": state.paid.to_string(),
        "model": state.model.map(|model| format!("{:?}", model.hash)),
        "challenged": state.pending.map(|pending| format!("{:?}", pending.settling)),
        "checkpoint": made.map(|made| format!("{:?}", made.root)),
        "registered": around.as_ref().is_some_and(|around| around.registered),
        "createdAt": around.as_ref().map(|around| around.created_at),
        "endedAt": around.as_ref().and_then(|around| around.ended_at),
        "members": members,
    })))
}

/// What happened, beside what is.
pub fn add_history(status: &mut Value, history: &History) {
    let rounds: Vec<Value> = history.rounds().map(|round| round.json()).collect();
    status["history"] = json!(rounds);
    status["tokensPerSecond"] = json!(history.tokens_per_second());
    if let Some(members) = status["members"].as_array_mut() {
        // A run that is over lists nobody any more, nor does one whom it threw out.
        let listed: Vec<Value> = members.iter().map(|m| m["operator"].clone()).collect();
        let gone = history
            .who()
            .into_iter()
            .filter(|who| !listed.contains(&json!(who)));
        members.extend(gone.map(|who| {
            let did = history.proven_false(who).map_or("took part", |_| "proven false");
            json!({ "operator": who, "list": "gone", "did": did, "rank": null, "loss": null, "missed": null })
        }));
        for member in members {
            let who = member["operator"].as_str().unwrap_or_default().to_owned();
            member["paid"] = json!(history.paid(&who).to_string());
            member["provenFalseIn"] = json!(history.proven_false(&who));
            member["acceptedRounds"] = json!(history.accepted(&who));
            if member["loss"].is_null() {
                member["loss"] = json!(history.last_loss(&who));
            }
        }
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or("-").to_owned()
}

fn dot(value: &Value) -> String {
    let planck = value.as_str().and_then(|planck| planck.parse().ok());
    planck.map_or_else(|| "-".into(), format_dot)
}

/// A number with so many decimals, or a dash.
pub fn number(value: &Value, decimals: usize) -> String {
    value
        .as_f64()
        .map_or_else(|| "-".into(), |value| format!("{value:.decimals$}"))
}

fn print(status: &Value) {
    let until = match status["deadline"].as_u64() {
        Some(until) => format!(", until block {until} at the latest"),
        None => String::new(),
    };
    println!("run {}  {}", status["run"], text(status, "root"));
    println!(
        "  phase       {}{until} (block {})",
        text(status, "phase"),
        status["block"]
    );
    println!(
        "  round       {} of {}, {} final",
        status["round"], status["rounds"], status["finalRounds"]
    );
    println!(
        "  members     {} in rounds, {} waiting ({} to {})",
        status["active"], status["waiting"], status["minMembers"], status["maxMembers"]
    );
    println!(
        "  paid        {} of {}",
        dot(&status["paid"]),
        dot(&status["budget"])
    );
    println!(
        "  speed       {} tokens/s",
        number(&status["tokensPerSecond"], 0)
    );
    if status["checkpoint"].is_string() {
        let registered = match status["registered"].as_bool() {
            Some(true) => "registered",
            _ => "not registered",
        };
        println!(
            "  checkpoint  {} ({registered})",
            text(status, "checkpoint")
        );
    }
    for member in status["members"].as_array().into_iter().flatten() {
        println!(
            "  {:>4}  {}  {:<8} {:<12} loss {:<8} accepted {:<4} missed {:<3} paid {}",
            member["rank"]
                .as_u64()
                .map_or_else(|| "-".into(), |rank| rank.to_string()),
            text(member, "operator"),
            text(member, "list"),
            text(member, "did"),
            number(&member["loss"], 4),
            member["acceptedRounds"],
            member["missed"],
            dot(&member["paid"]),
        );
    }
    for round in status["history"].as_array().into_iter().flatten() {
        println!(
            "  round {:>4}  loss {:<8} {:<8} {} of {} accepted",
            round["round"],
            number(&round["loss"], 4),
            text(round, "became"),
            round["accepted"],
            round["members"],
        );
    }
}
