//! `gateway`: an OpenAI-compatible HTTP server.

use std::{
    io::{stdout, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{ensure, Context, Result};
use chasqui_engine::{batch, LoadOptions};
use chasqui_gateway::{
    keys::{new_key, Keyring},
    serve, Gateway, Limits, Live, LocalUpstream, ModelFolder, Options, Upstream,
};
use serde_json::{json, Value};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::{gateway_sessions::SessionsOptions, run::stop_signal};

/// Serve models to OpenAI clients: completions, chat, embeddings, metrics and a live page.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --keys and --open the gateway makes one key and prints it. In Python:\n\n    \
    client = openai.OpenAI(base_url=\"http://127.0.0.1:8080/v1\", api_key=\"sk-chasqui-…\")\n\n\
    The live page is at http://127.0.0.1:8080/, metrics are at /metrics. A key file holds hashes, not keys:\n\n    \
    [[keys]]\n    name = \"alice\"\n    sha256 = \"…\"        # --new-key alice prints these lines and the key\n    \
    budget = \"2.5\"      # DOT a day; without it: no limit\n    concurrent = 4      # requests at once\n    \
    models = [\"tales\"]  # without it: every model\n\n\
    Ctrl-C and SIGTERM let running requests end within --stop-grace seconds. The connection is not encrypted: put a \
    reverse proxy with TLS before an address that others reach."
)]
pub struct GatewayCommand {
    /// A model folder in the Hugging Face layout, served under its own name or as NAME=DIR; may be repeated.
    #[arg(
        long = "model",
        value_name = "[NAME=]DIR",
        required_unless_present_any = ["new_key", "checkpoints"]
    )]
    pub models: Vec<String>,
    #[command(flatten)]
    pub sessions: SessionsOptions,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// TOML file of key hashes with budgets.
    #[arg(long, value_name = "FILE", conflicts_with = "open")]
    pub keys: Option<PathBuf>,
    /// Keep the day's spending of each key in FILE, so that a restart does not begin the budgets anew.
    #[arg(long, value_name = "FILE", requires = "keys")]
    pub spending: Option<PathBuf>,
    /// Ask for no key. On loopback addresses only.
    #[arg(long)]
    pub open: bool,
    /// Make a key, print it and its lines for the key file, and end.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["models", "checkpoints", "keys", "open"])]
    pub new_key: Option<String>,
    /// Where to compute: cpu, or cuda:N, an NVIDIA GPU.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Most requests under way at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().running)]
    pub running: usize,
    /// Most requests that wait for their turn; one more gets status 429.
    #[arg(long, value_name = "N", default_value_t = Limits::default().queued)]
    pub queued: usize,
    /// Most requests of one key that wait for their turn.
    #[arg(long, value_name = "N", default_value_t = Limits::default().queued_per_key)]
    pub queued_per_key: usize,
    /// Longest time in seconds that a request waits for its turn.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().queue_wait.as_secs())]
    pub queue_wait: u64,
    /// Most output tokens of one choice.
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_tokens)]
    pub max_tokens: u32,
    /// Most choices of one request: prompts times `n`.
    #[arg(long, value_name = "N", default_value_t = Limits::default().choices)]
    pub choices: usize,
    /// Largest request body in KiB.
    #[arg(long, value_name = "KIB", default_value_t = Limits::default().body_bytes >> 10)]
    pub body_kib: usize,
    /// Most connections.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    pub connections: usize,
    /// Memory for the key-value caches of one model's running requests, MiB.
    #[arg(long, value_name = "MIB", default_value_t = batch::Limits::default().cache_bytes >> 20)]
    pub cache_mib: usize,
    /// Seconds that running requests have to end when the gateway is told to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().stop_grace.as_secs())]
    pub stop_grace: u64,
    /// Print address, models and key as one JSON object, and write logs as JSON.
    #[arg(long)]
    pub json: bool,
}

impl GatewayCommand {
    /// Runs the gateway until it is told to stop.
    ///
    /// # Errors
    /// An option is out of its range, a model or the key file does not load, or the address cannot be listened on.
    pub async fn run(self) -> Result<()> {
        self.log();
        if let Some(name) = &self.new_key {
            return self.print_new_key(name);
        }
        let limits = self.limits();
        limits.check()?;
        ensure!(
            !self.open || self.listen.ip().is_loopback(),
            "--open: {} can be reached from other machines; listen on 127.0.0.1, or give --keys FILE",
            self.listen
        );
        self.sessions.check()?;
        let (keys, generated) = self.keyring()?;
        let folders = self
            .models
            .iter()
            .map(|model| ModelFolder::parse(model))
            .collect::<Result<Vec<_>, _>>()
            .context("--model")?;
        let cache_bytes = self
            .cache_mib
            .checked_mul(1 << 20)
            .filter(|bytes| *bytes > 0)
            .with_context(|| format!("--cache-mib: {} is out of range", self.cache_mib))?;
        // Bound before minutes of loading are spent on an address that is taken.
        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("--listen: listening on {}", self.listen))?;
        let address = listener.local_addr().context("--listen")?;
        let options = LoadOptions::on(&self.device);
        let batch = batch::Limits {
            running: limits.running.saturating_mul(limits.choices).min(256),
            // The gateway's own queue is the one that holds.
            queued: limits.running.saturating_mul(limits.choices).max(1),
            cache_bytes,
            ..batch::Limits::default()
        };
        let mut names: Vec<String> = folders.iter().map(|folder| folder.id.clone()).collect();
        let local = !folders.is_empty();
        let loading = async {
            let mut upstreams: Vec<Arc<dyn Upstream>> = Vec::new();
            if local {
                let load = move || LocalUpstream::load(&folders, &options, batch);
                let loaded = tokio::task::spawn_blocking(load).await;
                upstreams.push(Arc::new(loaded.context("loading the models")??));
            }
            let on_chain = self.sessions.start().await?;
            anyhow::Ok((upstreams, on_chain))
        };
        // A stop does not wait for a large model, nor for the chain.
        let stopped = stop_signal();
        tokio::pin!(stopped);
        let (mut upstreams, on_chain) = tokio::select! {
            loaded = loading => loaded?,
            stopped = &mut stopped => {
                tracing::info!("stopped by {} while loading", stopped?);
                return Ok(());
            }
        };
        names.extend(
            on_chain
                .models
                .iter()
                .filter(|name| !names.contains(name))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let sessions = on_chain.upstream;
        if let Some(sessions) = &sessions {
            upstreams.push(Arc::new(sessions.clone()));
        }
        let open = keys.is_open();
        let gateway = Gateway::new(Options {
            upstreams,
            keys,
            limits,
            live: on_chain.live.map(|live| live as Arc<dyn Live>),
        })?;
        if let Some(sessions) = &sessions {
            gateway
                .metrics()
                .register(sessions.metrics().collectors())?;
        }
        self.announce(address, &names, generated.as_deref(), open)?;
        serve(gateway, listener, async {
            match stopped.await {
                Ok(name) => tracing::info!("stopped by {name}; running requests may end"),
                Err(error) => tracing::error!("{error:#}"),
            }
        })
        .await;
        if let Some(sessions) = &sessions {
            sessions.stop();
            if self.sessions.close_on_stop {
                sessions.close_all().await;
            }
        }
        Ok(())
    }

    fn log(&self) {
        let filter = EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| EnvFilter::new("warn,chasqui_worker=info,chasqui_gateway=info"));
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        if self.json {
            log.json().init();
        } else {
            log.with_target(false).with_ansi(false).init();
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            running: self.running,
            queued: self.queued,
            queued_per_key: self.queued_per_key,
            queue_wait: Duration::from_secs(self.queue_wait),
            max_tokens: self.max_tokens,
            choices: self.choices,
            body_bytes: self.body_kib.saturating_mul(1 << 10),
            connections: self.connections,
            stop_grace: Duration::from_secs(self.stop_grace),
            ..Limits::default()
        }
    }

    /// Who may ask, and the key if one was made.
    fn keyring(&self) -> Result<(Keyring, Option<String>)> {
        match (&self.keys, self.open) {
            (Some(file), _) => {
                let ring = Keyring::from_file(file).context("--keys")?;
                let ring = match &self.spending {
                    Some(file) => ring.keep_spending(file).context("--spending")?,
                    None => ring,
                };
                Ok((ring, None))
            }
            (None, true) => Ok((Keyring::open(self.running), None)),
            (None, false) => {
                let (key, _) = new_key()?;
                Ok((Keyring::single("generated", &key, self.running), Some(key)))
            }
        }
    }

    fn print_new_key(&self, name: &str) -> Result<()> {
        let (key, sha256) = new_key()?;
        let lines = format!("[[keys]]\nname = {name:?}\nsha256 = \"{sha256}\"\n");
        // What the file would refuse is not handed out.
        Keyring::from_toml(&lines).map_err(|reason| anyhow::anyhow!("--new-key: {reason}"))?;
        match self.json {
            true => println!("{}", json!({ "key": key, "name": name, "sha256": sha256 })),
            false => println!("key: {key}\n\nFor the key file:\n\n{lines}"),
        }
        Ok(())
    }

    /// Tells that it serves, where, and with which key.
    fn announce(
        &self,
        address: SocketAddr,
        models: &[String],
        key: Option<&str>,
        open: bool,
    ) -> Result<()> {
        let mut out = stdout().lock();
        if self.json {
            let mut said = json!({
                "listening": address.to_string(),
                "base_url": format!("http://{address}/v1"),
                "models": models,
                "open": open,
            });
            if let Some(key) = key {
                said["key"] = Value::from(key);
            }
            writeln!(out, "{said}")?;
        } else {
            writeln!(out, "serving {} at http://{address}/v1", models.join(", "))?;
            writeln!(out, "live page: http://{address}/")?;
            match (key, &self.keys) {
                (Some(key), _) => writeln!(out, "key, until this gateway stops: {key}")?,
                (None, Some(file)) => writeln!(out, "keys: those in {}", file.display())?,
                (None, None) => writeln!(out, "no key is asked for")?,
            }
        }
        out.flush()?;
        Ok(())
    }
}
