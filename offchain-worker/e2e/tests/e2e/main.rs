//! End to end: real node, real workers, one file a behaviour.
//!
//! All behaviours share one network, because opening a market takes most of a minute; they run one after another in
//! the order below, and each leaves the network working. A runner of its own (`libtest-mimic`) stops every process at
//! the end, also after a failure.

mod bad_input;
mod blob_prompts;
mod cheats;
mod crashes;
mod datasets;
mod evaluating;
mod false_alarm;
mod funds;
mod gateway;
mod honest_job;
mod http;
mod leaving;
mod node_trouble;
mod session_cheats;
mod sessions;
mod training;

use anyhow::{Context, Result};
use chasqui_e2e::{interrupt, scenes, Network, NodeOptions};
use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
};

/// The shared network and its checkpoint.
pub struct Market {
    pub network: Network,
    pub root: String,
}

/// One behaviour.
type Behaviour = fn(&mut Market) -> Result<()>;

const BEHAVIOURS: &[(&str, Behaviour)] = &[
    (
        "honest_job::is_computed_audited_and_paid_to_the_planck",
        honest_job::is_paid,
    ),
    (
        "honest_job::premium_is_always_audited",
        honest_job::premium_is_audited,
    ),
    (
        "honest_job::the_same_seed_gives_the_same_text",
        honest_job::is_reproducible,
    ),
    (
        "sessions::answers_stream_are_settled_audited_and_paid",
        sessions::are_paid,
    ),
    (
        "sessions::an_executor_that_is_killed_loses_nothing_and_charges_nothing_twice",
        sessions::survive_a_crash,
    ),
    (
        "gateway::what_its_clients_get_is_settled_to_the_planck",
        gateway::answers_are_paid,
    ),
    (
        "gateway::an_executor_killed_before_its_first_token_is_not_seen",
        gateway::failover_is_unseen,
    ),
    (
        "gateway::an_executor_killed_midway_ends_the_answer_cleanly",
        gateway::a_break_is_clean,
    ),
    (
        "gateway::one_that_is_killed_goes_on_where_it_was",
        gateway::a_killed_gateway_goes_on,
    ),
    (
        "gateway::a_key_without_funds_is_named",
        gateway::without_funds_it_says_so,
    ),
    (
        "blob_prompts::a_job_with_one_is_computed_audited_and_paid",
        blob_prompts::is_paid,
    ),
    (
        "blob_prompts::one_that_nobody_finds_costs_no_more_than_the_base_fee",
        blob_prompts::unreachable,
    ),
    (
        "blob_prompts::one_that_no_model_reads_is_refused_unstored",
        blob_prompts::too_long,
    ),
    (
        "bad_input::an_unknown_checkpoint_is_refused",
        bad_input::unknown_checkpoint,
    ),
    (
        "bad_input::token_limits_are_enforced",
        bad_input::token_limits,
    ),
    (
        "bad_input::a_price_below_cost_is_refused",
        bad_input::price_below_cost,
    ),
    (
        "bad_input::an_oversized_prompt_is_refused",
        bad_input::oversized_prompt,
    ),
    (
        "bad_input::a_client_without_funds_is_refused",
        bad_input::no_funds,
    ),
    (
        "bad_input::a_forged_receipt_does_not_verify",
        bad_input::forged_receipt,
    ),
    (
        "node_trouble::an_unreachable_node_is_named",
        node_trouble::unreachable,
    ),
    (
        "node_trouble::workers_wait_for_a_node_that_comes_late",
        node_trouble::late,
    ),
    (
        "node_trouble::another_genesis_is_refused",
        node_trouble::other_genesis,
    ),
    (
        "funds::a_hot_key_without_any_is_named_and_goes_on_once_funded",
        funds::are_missed,
    ),
    (
        "datasets::one_that_nobody_serves_is_withheld_and_withdrawn",
        datasets::one_that_nobody_serves,
    ),
    (
        "training::a_run_is_trained_audited_paid_and_registered",
        training::a_run_is_trained_and_paid,
    ),
    (
        "evaluating::validators_attest_what_a_checkpoint_loses",
        evaluating::validators_attest,
    ),
    (
        "leaving::a_bond_stays_while_it_can_be_slashed",
        leaving::bond_stays,
    ),
    (
        "cheats::each_is_caught_slashed_and_refunded",
        cheats::are_caught,
    ),
    (
        "cheats::a_withheld_trace_is_false",
        cheats::withholding_is_caught,
    ),
    (
        "session_cheats::answers_of_another_model_are_caught_and_an_honest_operator_is_paid",
        session_cheats::another_model_is_caught,
    ),
    (
        "session_cheats::answers_that_nobody_is_shown_are_false",
        session_cheats::withholding_is_caught,
    ),
    (
        "session_cheats::answers_shown_on_chain_are_judged_there",
        session_cheats::answers_shown_on_chain_are_judged,
    ),
    (
        "session_cheats::a_client_reports_a_false_answer",
        session_cheats::a_report_is_upheld,
    ),
    (
        "false_alarm::an_overturned_flag_costs_its_author",
        false_alarm::is_overturned,
    ),
    (
        "crashes::a_worker_killed_before_its_commitment_still_delivers",
        crashes::before_commitment,
    ),
    (
        "crashes::an_auditor_killed_before_its_reveal_still_reveals",
        crashes::before_reveal,
    ),
    (
        "crashes::a_killed_node_restarts_clean_and_the_job_ends",
        crashes::node,
    ),
    (
        "crashes::whoever_is_killed_at_whatever_moment_the_job_ends_right",
        crashes::matrix,
    ),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    if let Err(error) = interrupt::watch() {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    let market: Arc<Mutex<Option<Market>>> = Arc::default();
    let trials = BEHAVIOURS
        .iter()
        .map(|(name, behaviour)| {
            let market = market.clone();
            Trial::test(*name, move || run(&market, *behaviour))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Stops every process.
    market.lock().unwrap_or_else(|e| e.into_inner()).take();
    conclusion.exit_code()
}

fn run(market: &Mutex<Option<Market>>, behaviour: Behaviour) -> Result<(), Failed> {
    // Once somebody pressed Ctrl-C, what is left of the list fails at once, and the network is stopped.
    interrupt::check().map_err(|error| Failed::from(error.to_string()))?;
    let mut held = market.lock().unwrap_or_else(|e| e.into_inner());
    let outcome = open(&mut held).and_then(|market| {
        behaviour(market).with_context(|| format!("logs:\n{}", market.network.logs(25)))
    });
    outcome.map_err(|error| Failed::from(format!("{error:#}")))
}

/// Opens the market for whoever comes first.
fn open(held: &mut Option<Market>) -> Result<&mut Market> {
    if held.is_none() {
        let mut network = Network::start(NodeOptions::default())?;
        let opened = network.open_market(&scenes::honest_operators(), &mut |_| {});
        let root = opened.with_context(|| format!("logs:\n{}", network.logs(25)))?;
        *held = Some(Market { network, root });
    }
    held.as_mut().context("no network")
}
