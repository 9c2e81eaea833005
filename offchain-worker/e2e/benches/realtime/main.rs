//! `scripts/bench realtime`: what a client of the gateway waits for, and what its requests cost the chain.
//!
//! A node, two executors, three validators and a gateway on this machine; clients stream over loopback. Every figure
//! of the chain is read from its blocks. `docs/benchmarks.md` says what is measured and why.

mod books;
mod capacity;
mod footprint;
mod load;
mod prompts;
mod report;
mod stats;

use anyhow::{bail, ensure, Context, Result};
use books::Books;
use chasqui_e2e::{
    blocks::{Block, Reader},
    chat::Ledger,
    gateway::Funds,
    interrupt,
    scenes::{self, CLIENT_KEY},
    Gateway, Network, NodeOptions, Settling,
};
use clap::Parser;
use footprint::Footprint;
use load::{Load, Outcome, Progress, Run};
use prompts::Model;
use serde_json::{json, Value};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// What a session puts down: more than it can spend here.
const DEPOSIT: &str = "8";
const BUDGET: &str = "900";
/// What the client is given besides, in DOT.
const FUNDS: &str = "9000";
/// How long a killed executor stays away.
const AWAY: Duration = Duration::from_secs(3);
/// And how long the gateway then has to come by the receipts that it waits for.
const RECOVERY: Duration = Duration::from_secs(20);
/// So many times longer are the answers during which it is killed.
const KILL_FACTOR: u32 = 4;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[derive(Parser)]
struct Options {
    /// Concurrent clients; each has a session's worth of money at its side.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Requests of each client.
    #[arg(long, default_value_t = 50)]
    requests: usize,
    /// Tokens of a prompt.
    #[arg(long, default_value_t = 64)]
    prompt_tokens: usize,
    /// Tokens of an answer.
    #[arg(long, default_value_t = 32)]
    output_tokens: u32,
    /// Sessions of which each serves 1,000 short requests.
    #[arg(long, default_value_t = 16)]
    sessions: usize,
    /// Little of everything: only shows that it runs.
    #[arg(long)]
    quick: bool,
    /// Only what the chain could settle by the weights of its runtime: starts nothing.
    #[arg(long)]
    capacity: bool,
    /// Write the figures to FILE.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The command that is told beside the figures.
    #[arg(long, default_value = "cargo bench --bench realtime", hide = true)]
    command: String,
    /// The revision that is told beside the figures.
    #[arg(long, default_value = "unknown", hide = true)]
    revision: String,
    /// Cargo passes it to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much of everything.
struct Sizes {
    clients: usize,
    requests: usize,
    /// Of a single client.
    alone: usize,
    sessions: usize,
    /// Of each session.
    per_session: usize,
}

impl Options {
    fn sizes(&self) -> Sizes {
        match self.quick {
            true => Sizes {
                clients: self.clients.min(2),
                requests: self.requests.min(8),
                alone: 8,
                sessions: self.sessions.min(2),
                per_session: 40,
            },
            false => Sizes {
                clients: self.clients,
                requests: self.requests,
                alone: 100,
                sessions: self.sessions,
                per_session: 1_000,
            },
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match interrupt::watch().and_then(|()| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("realtime: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) {
    eprintln!("realtime: {line}");
}

fn measure(options: &Options) -> Result<()> {
    if options.capacity {
        println!("{}", serde_json::to_string_pretty(&capacity::all())?);
        return Ok(());
    }
    let sizes = options.sizes();
    ensure!(
        sizes.clients > 0 && sizes.requests > 0 && sizes.sessions > 0 && options.prompt_tokens > 3,
        "clients, requests and sessions must be at least 1, prompts at least 4 tokens"
    );
    let folder = scenes::model("chasqui-tales")?;
    let model = Model::load(&folder)?;
    let bench = Bench {
        prompts: model.prompts(500, options.prompt_tokens),
        short_prompts: model.prompts(2_000, 8),
        sizes,
        output_tokens: options.output_tokens,
        model,
    };
    say("the engine alone, nothing else running");
    let idle = bench.prefill()?;

    say("starting a network");
    let mut network = Network::start(NodeOptions::default())?;
    // Nothing is settled before its session ends: a session's requests are one settlement.
    network.settling = Settling {
        blocks: 1_000_000,
        dot: 1_000_000,
    };
    let outcome = bench.on(&mut network, idle);
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) => bail!("{error:#}\n{}", network.logs(25)),
    };
    drop(network);
    report["machine"] = report::machine();
    report["command"] = json!(options.command);
    report["revision"] = json!(options.revision);
    report["quick"] = json!(options.quick);
    report["prompt_tokens"] = json!(options.prompt_tokens);
    report["output_tokens"] = json!(options.output_tokens);
    report["goals"] = report::goals(&report);
    report::print(&report);
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

struct Bench {
    model: Model,
    prompts: std::sync::Arc<Vec<Vec<u32>>>,
    short_prompts: std::sync::Arc<Vec<Vec<u32>>>,
    output_tokens: u32,
    sizes: Sizes,
}

/// A load that ran, its sessions over, settled and audited.
struct Ended {
    run: Run,
    blocks: Vec<Block>,
    sessions: usize,
}

impl Bench {
    fn prefill(&self) -> Result<Value> {
        let count = self.sizes.alone.min(self.prompts.len());
        let times = self.model.prefill(&self.prompts[..count])?;
        Ok(stats::spread(&times))
    }

    fn load(&self, gateway: &Gateway, clients: usize, requests: usize) -> Result<Load> {
        Ok(Load {
            base_url: gateway.base_url.clone(),
            model: gateway.model()?.to_string(),
            prompts: self.prompts.clone(),
            output_tokens: self.output_tokens,
            clients,
            requests,
        })
    }

    fn on(&self, network: &mut Network, idle: Value) -> Result<Value> {
        let Sizes {
            clients,
            requests,
            alone,
            ..
        } = self.sizes;
        let operators = scenes::honest_operators();
        let root = network.open_market(&operators, &mut |line| say(line))?;
        network.fund(CLIENT_KEY, FUNDS)?;
        let reader = Reader::connect(&network.url())?;

        say("a gateway over the model itself");
        let folder = scenes::model("chasqui-tales")?;
        let gateway = Gateway::local(network.folder(), &folder)?;
        self.warm_up(&gateway, clients)?;
        let beside = self.prefill()?;
        let local_alone = self.timed(&gateway, 1, alone)?;
        let local_many = self.timed(&gateway, clients, requests)?;
        gateway.stop()?;

        say("a gateway over sessions");
        let mut ledger = Ledger::open(&reader)?;
        let gateway = self.gateway(network, &root, clients)?;
        let warming = self.warm_up_sessions(network, &gateway, clients)?;
        let sessions_alone = self.timed(&gateway, 1, alone)?;
        let load = self.load(&gateway, clients, requests)?;
        let run = load::run(&load, &Progress::default())?;
        let sessions_many = stats::summary(&run, clients);
        say(&format!("{clients} clients: {sessions_many}"));
        let ended = self.end(network, gateway, &mut ledger, run)?;
        let asked = warming.len() + alone + ended.run.outcomes.len();
        let footprint = Footprint::of(&ended.blocks).json(asked);

        say("sessions of many short requests");
        let thousand = self.thousand(network, &root, &reader)?;

        say("the same load, one executor killed midway");
        let kill = self.kill(network, &root, &reader)?;
        Ok(json!({
            "engine_prefill_idle_ms": idle,
            "engine_prefill_ms": beside,
            "local": { "one_client": local_alone, "many_clients": local_many },
            "sessions": {
                "one_client": sessions_alone,
                "many_clients": sessions_many,
                "on_chain": footprint,
            },
            "thousand": thousand,
            "kill": kill,
            "capacity": capacity::all(),
        }))
    }

    fn gateway(&self, network: &Network, root: &str, sessions: usize) -> Result<Gateway> {
        Gateway::over_sessions_with(
            network,
            &Funds {
                key: CLIENT_KEY,
                root,
                deposit: DEPOSIT,
                budget: BUDGET,
                sessions,
            },
            &["--close-on-stop"],
        )
    }

    /// The first requests load models and open connections.
    fn warm_up(&self, gateway: &Gateway, clients: usize) -> Result<Vec<Outcome>> {
        let load = self.load(gateway, clients, WARM_UP)?;
        let run = load::run(&load, &Progress::default())?;
        ensure!(
            run.answers().count() == clients * WARM_UP,
            "{:?}",
            run.outcomes
        );
        Ok(run.outcomes)
    }

    /// Asks so many at once until each has a session; what became of it.
    fn warm_up_sessions(
        &self,
        network: &Network,
        gateway: &Gateway,
        sessions: usize,
    ) -> Result<Vec<Outcome>> {
        let client = network.address(CLIENT_KEY)?;
        let mut asked = Vec::new();
        network.wait_until("every client has a session", SECONDS(120), |network| {
            asked.extend(self.warm_up(gateway, sessions)?);
            let open = network.call(&["session", "list", "--client", &client])?;
            let mut ready = 0;
            for session in open.as_array().into_iter().flatten() {
                let drawn = session["committee"].as_array();
                ready += usize::from(drawn.is_some_and(|committee| !committee.is_empty()));
            }
            Ok(ready >= sessions)
        })?;
        Ok(asked)
    }

    fn timed(&self, gateway: &Gateway, clients: usize, requests: usize) -> Result<Value> {
        let run = load::run(
            &self.load(gateway, clients, requests)?,
            &Progress::default(),
        )?;
        let summary = stats::summary(&run, clients);
        say(&format!("{clients} clients: {summary}"));
        Ok(summary)
    }

    /// Stops the gateway, which closes its sessions, and waits until all is settled, audited and over.
    fn end(
        &self,
        network: &Network,
        gateway: Gateway,
        ledger: &mut Ledger<'_>,
        run: Run,
    ) -> Result<Ended> {
        gateway.stop()?;
        let client = network.address(CLIENT_KEY)?;
        network.wait_until("every session is over", SECONDS(180), |network| {
            let left = network.call(&["session", "list", "--client", &client])?;
            Ok(left.as_array().is_some_and(Vec::is_empty))
        })?;
        network.wait_until("the audits close", SECONDS(300), |_| {
            ledger.catch_up()?;
            Ok(ledger.shared() + ledger.refunded() == ledger.settled())
        })?;
        ensure!(ledger.refunded() == 0, "honest answers were not paid");
        Ok(Ended {
            run,
            sessions: ledger.closed().0,
            blocks: ledger.catch_up()?.to_vec(),
        })
    }

    /// Sessions that serve many requests each and settle once.
    fn thousand(&self, network: &Network, root: &str, reader: &Reader) -> Result<Value> {
        let (sessions, requests) = (self.sizes.sessions, self.sizes.per_session);
        let mut ledger = Ledger::open(reader)?;
        let gateway = self.gateway(network, root, sessions)?;
        let warming = self.warm_up_sessions(network, &gateway, sessions)?;
        let load = Load {
            prompts: self.short_prompts.clone(),
            output_tokens: 2,
            ..self.load(&gateway, sessions, requests)?
        };
        let run = load::run(&load, &Progress::default())?;
        let summary = stats::summary(&run, sessions);
        say(&format!("{sessions} clients: {summary}"));
        let ended = self.end(network, gateway, &mut ledger, run)?;
        let mut outcomes = warming;
        outcomes.extend(ended.run.outcomes);
        let all = outcomes.len();
        Ok(json!({
            "sessions": ended.sessions,
            "requests_per_session": all / ended.sessions.max(1),
            "load": summary,
            "on_chain": Footprint::of(&ended.blocks).json(all),
            "books": Books::balance(network, reader.genesis(), &outcomes, &ended.blocks)?.json(),
        }))
    }

    /// The load again; when two fifths have come, the executor that answered most is killed.
    fn kill(&self, network: &mut Network, root: &str, reader: &Reader) -> Result<Value> {
        let (clients, requests) = (self.sizes.clients, self.sizes.requests);
        let mut ledger = Ledger::open(reader)?;
        let gateway = self.gateway(network, root, clients)?;
        let mut outcomes = self.warm_up_sessions(network, &gateway, clients)?;
        // Long enough that some are under way when it happens.
        let load = Load {
            output_tokens: self.output_tokens * KILL_FACTOR,
            ..self.load(&gateway, clients, requests)?
        };
        let progress = Progress::default();
        let (run, victim) = std::thread::scope(|scope| {
            let running = scope.spawn(|| load::run(&load, &progress));
            let victim = kill_midway(network, &progress, clients * requests * 2 / 5);
            let run = running
                .join()
                .unwrap_or_else(|_| bail!("the load panicked"));
            anyhow::Ok((run?, victim?))
        })?;
        // The gateway asks again for what it waits for.
        interrupt::pause(RECOVERY)?;
        let summary = stats::summary(&run, clients);
        let ended = self.end(network, gateway, &mut ledger, run)?;
        outcomes.extend(ended.run.outcomes);
        let books = Books::balance(network, reader.genesis(), &outcomes, &ended.blocks)?;
        Ok(json!({
            "killed": victim,
            "away_seconds": AWAY.as_secs_f64(),
            "sessions": ended.sessions,
            "load": summary,
            "books": books.json(),
        }))
    }
}

/// Requests before anything is measured.
const WARM_UP: usize = 4;

/// Kills the busiest executor once so many requests are done, and starts it again; its name.
fn kill_midway(network: &mut Network, progress: &Progress, after: usize) -> Result<String> {
    let deadline = std::time::Instant::now() + SECONDS(300);
    while progress.done() < after {
        ensure!(std::time::Instant::now() < deadline, "the load hangs");
        interrupt::pause(Duration::from_millis(5))?;
    }
    let busiest = progress.busiest().context("nobody answered")?;
    let name = network.name_of(&busiest)?;
    let index = network
        .workers
        .iter()
        .position(|worker| worker.operator.name == name)
        .context("none of our workers")?;
    network.kill_worker(index);
    say(&format!(
        "{name} is killed behind {} requests",
        progress.done()
    ));
    interrupt::pause(AWAY)?;
    network.restart_worker(index, None)?;
    say(&format!(
        "{name} is started again behind {} requests",
        progress.done()
    ));
    Ok(name)
}
