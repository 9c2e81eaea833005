//! The commands. Each module holds one: its options as a clap structure and `run`.

pub mod account;
pub mod audit;
pub mod checkpoint;
pub mod dataset;
pub mod failure;
pub mod fund;
pub mod funds;
pub mod gateway;
pub mod gateway_sessions;
pub mod generate;
pub mod gov;
pub mod job;
pub mod model;
pub mod operator;
pub mod options;
pub mod receipt;
pub mod remedy;
pub mod run;
pub mod score;
pub mod session;
pub mod status;
pub mod train;

use std::{ffi::OsString, future::Future, process::ExitCode};

use anyhow::{Context, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// What a check that ran and found an output false or a receipt invalid exits with; 1 is an error, 2 a wrong use of
/// the command.
pub const EXIT_NOT_VALID: u8 = 3;

/// Computes and audits inference for the Chasqui chain.
#[derive(Debug, Parser)]
#[command(
    name = "chasqui-worker",
    version,
    after_help = "Exit status: 0 done, 1 failed, 2 wrong use, 3 an output or a receipt is not valid. With --json a \
                  command that fails prints an object with `error` (and `remedy`, where there is one)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Complete a prompt with a model on this machine.
    Generate(generate::Generate),
    /// Logits and hidden states of a sequence of token ids.
    Score(score::Score),
    /// Replay a recorded output and judge it.
    Audit(audit::Audit),
    /// Look into model folders, import and calibrate them.
    #[command(subcommand)]
    Model(model::Model),
    /// Run the worker.
    Run(run::RunCommand),
    /// Serve models to OpenAI clients: completions, chat, embeddings, metrics and a live page.
    Gateway(gateway::GatewayCommand),
    /// Show the node, the newest block and the epoch; with a configuration, the worker's operator too.
    Status(status::StatusCommand),
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointCommand),
    #[command(subcommand)]
    Job(job::JobCommand),
    #[command(subcommand)]
    Session(session::SessionCommand),
    #[command(subcommand)]
    Train(train::TrainCommand),
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    #[command(subcommand)]
    Fund(fund::FundCommand),
    #[command(subcommand)]
    Gov(gov::GovCommand),
    #[command(subcommand)]
    Price(gov::PriceCommand),
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    #[command(subcommand)]
    Account(account::AccountCommand),
}

impl Command {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Generate(command) => done(quiet(|| command.run())),
            Self::Score(command) => done(quiet(|| command.run())),
            Self::Audit(command) => quiet(|| command.run()),
            Self::Model(command) => done(quiet(|| command.run())),
            Self::Run(command) => done(block_on(command.run())),
            Self::Gateway(command) => done(block_on(command.run())),
            Self::Status(command) => done(quiet(|| block_on(command.run()))),
            Self::Operator(command) => done(quiet(|| block_on(command.run()))),
            Self::Checkpoint(command) => done(quiet(|| block_on(command.run()))),
            Self::Job(command) => done(quiet(|| block_on(command.run()))),
            Self::Session(command) => done(quiet(|| block_on(command.run()))),
            Self::Train(command) => done(quiet(|| block_on(command.run()))),
            Self::Dataset(command) => done(quiet(|| block_on(command.run()))),
            Self::Fund(command) => done(quiet(|| block_on(command.run()))),
            Self::Gov(command) => done(quiet(|| block_on(command.run()))),
            Self::Price(command) => done(quiet(|| block_on(command.run()))),
            Self::Receipt(command) => done(quiet(|| command.run())),
            Self::Account(command) => done(quiet(|| block_on(command.run()))),
        }
    }
}

/// Runs a command that answers and ends: only warnings go to standard error, unless `RUST_LOG` asks for more.
fn quiet<T>(command: impl FnOnce() -> Result<T>) -> Result<T> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    command()
}

fn done(result: Result<()>) -> Result<ExitCode> {
    result.map(|()| ExitCode::SUCCESS)
}

/// Runs a command that talks to the chain to its end. A computation that is still under way does not hold it up: all
/// that lasts is written so that it may break off anywhere.
pub fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

/// Reads the command line, runs the command, reports an error on standard error, with `--json` as an object on standard
/// output too. Log lines go to standard error; standard output is the command's answer alone.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let parsed = Cli::command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| {
            Ok((
                failure::wants_json(&matches),
                Cli::from_arg_matches(&matches)?,
            ))
        });
    let (json, cli) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return failure::report_usage(&error, &arguments),
    };
    match cli.command.run() {
        Ok(code) => code,
        Err(error) => failure::report(&error, json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN the tree of commands
    // WHEN clap checks it
    // THEN no option is defined twice or contradicts itself
    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    // GIVEN every command and every option that is shown
    // WHEN its help is looked at
    // THEN there is some, and every command that answers can do so in JSON
    #[test]
    fn everything_has_help_and_every_command_json() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} says nothing");
            for option in command.get_arguments().filter(|o| !o.is_hide_set()) {
                assert!(option.get_help().is_some(), "{path}: {}", option.get_id());
            }
            let mut inner = command.get_subcommands().peekable();
            if inner.peek().is_none() {
                let json = command.get_arguments().any(|o| o.get_id() == "json");
                assert!(json, "{path} has no --json");
            }
            inner.for_each(|command| check(command, &path));
        }
        check(&Cli::command(), "");
    }

    // GIVEN a computation that does not end
    // WHEN the command that started it has ended, as a worker does that is told to stop
    // THEN the command does not wait for it
    #[test]
    fn a_computation_under_way_does_not_hold_up_the_end() {
        let (_never, held) = std::sync::mpsc::channel::<()>();
        let ended = block_on(async move {
            drop(tokio::task::spawn_blocking(move || held.recv()));
            Ok(7)
        });
        assert_eq!(ended.ok(), Some(7));
    }
}
