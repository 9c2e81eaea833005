//! The commands. Each module holds one: its options as a clap structure and `run`.

pub mod account;
pub mod audit;
pub mod checkpoint;
pub mod generate;
pub mod job;
pub mod model;
pub mod operator;
pub mod options;
pub mod receipt;
pub mod run;
pub mod score;
pub mod status;

use std::{future::Future, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// What an audit that ran and found the output false exits with; 1 is an error, 2 a wrong use of the command.
pub const EXIT_NOT_VALID: u8 = 3;

/// Computes and audits inference for the Chasqui chain.
#[derive(Debug, Parser)]
#[command(name = "chasqui-worker", version)]
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
    /// Show the node, the newest block and the epoch; with a configuration, the worker's operator too.
    Status(status::StatusCommand),
    #[command(subcommand)]
    Operator(operator::OperatorCommand),
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointCommand),
    #[command(subcommand)]
    Job(job::JobCommand),
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
            Self::Status(command) => done(quiet(|| block_on(command.run()))),
            Self::Operator(command) => done(quiet(|| block_on(command.run()))),
            Self::Checkpoint(command) => done(quiet(|| block_on(command.run()))),
            Self::Job(command) => done(quiet(|| block_on(command.run()))),
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

/// Runs a command that talks to the chain to its end.
pub fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Runtime::new()
        .context("starting the runtime")?
        .block_on(command)
}

/// Reads the command line, runs the command, reports an error on standard error. Log lines go there too;
/// standard output is the command's answer alone.
pub fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the reader of our output has gone (`| head`): no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    // GIVEN the tree of commands
    // WHEN clap checks it
    // THEN no option is defined twice or contradicts itself
    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
