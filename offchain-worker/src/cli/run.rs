//! `run`: the worker itself.

use super::{funds, options::hot_key};
use crate::{config::Config, duties::Worker, fault::Fault};
use anyhow::{Context, Result};
use std::path::PathBuf;
use tokio::signal::unix::{signal, SignalKind};
use tracing_subscriber::EnvFilter;

/// Run the worker: compute jobs and audit others', as the operator's roles say.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ctrl-C and SIGTERM stop it at once, with exit status 0: whatever it still owes is found again at the next start.\n\n\
    A configuration needs one line at least:\n\n    \
    key_file = \"/etc/chasqui/hot.key\"   # file with the hot key's secret URI\n\n\
    Everything else has a default: node, genesis, blob_dir, state_dir, device, max_models, parallel, metrics."
)]
pub struct RunCommand {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Write logs as JSON.
    #[arg(long)]
    pub json: bool,
    /// Cheat or crash on purpose, for tests: other-model:DIR, edit-token, truncate, withhold, crash-before-commit,
    /// crash-before-reveal, false-alarm.
    #[arg(long, value_name = "FAULT", hide = true)]
    pub test_fault: Option<Fault>,
}

impl RunCommand {
    pub async fn run(self) -> Result<()> {
        let filter = EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| EnvFilter::new("warn,chasqui_worker=info,chasqui_chain=info"));
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        if self.json {
            log.json().init();
        } else {
            log.with_target(false).with_ansi(false).init();
        }
        let config = Config::load(&self.config)?;
        hot_key(&config).with_context(|| format!("in {}", self.config.display()))?;
        if let Some(fault) = &self.test_fault {
            tracing::warn!(
                ?fault,
                "running with a test fault: this worker misbehaves on purpose"
            );
        }
        let work = async {
            let worker = Worker::open(&config, self.test_fault).await?;
            tokio::spawn(funds::watch(worker.chain.clone(), worker.signer.account()));
            worker.run(&config).await
        };
        tokio::select! {
            ended = work => ended,
            stopped = stop_signal() => {
                tracing::info!("stopped by {}; whatever is still owed is found again at the next start", stopped?);
                Ok(())
            }
        }
    }
}

/// Waits until somebody asks the program to stop; the signal's name.
pub(super) async fn stop_signal() -> Result<&'static str> {
    let mut interrupt = signal(SignalKind::interrupt()).context("catching SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("catching SIGTERM")?;
    Ok(tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    })
}
