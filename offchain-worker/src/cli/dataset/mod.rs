//! `dataset`: what training runs train on, from a folder of text to a registered one.

mod build;
mod submit;

use super::options::{format_dot, JsonOption, KeyOptions, NodeOptions};
use crate::datasets::{self, Named, Record};
use anyhow::{ensure, Context, Result};
use chasqui_chain::Head;
use chasqui_training::diloco::Dataset;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{json, Value};

/// Build, submit, list and withdraw datasets.
#[derive(Debug, clap::Subcommand)]
pub enum DatasetCommand {
    /// Make a dataset out of folders of text: the same bytes on every machine.
    Build(build::BuildCommand),
    /// Submit a dataset. A deposit goes on hold; validators then ask for the header and 16 pieces, and decide.
    Submit(Box<submit::SubmitCommand>),
    /// List what is registered.
    List {
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Show a dataset: what was stated of it, what it waits for, which runs use it.
    Show {
        /// The dataset, by root or number.
        #[arg(value_name = "DATASET")]
        dataset: Named,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Take a dataset back that no run uses and no case is about. What is left of the deposit returns.
    Withdraw {
        /// The dataset, by root or number.
        #[arg(value_name = "DATASET")]
        dataset: Named,
        #[command(flatten)]
        key: KeyOptions,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
}

impl DatasetCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Build(command) => command.run(),
            Self::Submit(command) => command.run().await,
            Self::List { node, json } => list(&node, json).await,
            Self::Show {
                dataset,
                node,
                json,
            } => show(&dataset, &node, json).await,
            Self::Withdraw {
                dataset,
                key,
                node,
                json,
            } => withdraw(&dataset, &key, &node, json).await,
        }
    }
}

async fn list(node: &NodeOptions, json: JsonOption) -> Result<()> {
    let chain = node.connect().await?;
    let all = datasets::all(&chain.head().await?).await?;
    let all: Vec<Value> = all.iter().map(Record::json).collect();
    json.print(&json!(all), || {
        if all.is_empty() {
            println!("no datasets");
        }
        for dataset in &all {
            println!("{:>4}  {}", dataset["dataset"], text(dataset, "root"));
            println!(
                "      {}, {} tokens, {}: {}",
                text(dataset, "status"),
                dataset["tokens"],
                text(dataset, "licence"),
                text(dataset, "description").lines().next().unwrap_or("-"),
            );
        }
    });
    Ok(())
}

async fn found(head: &Head, named: &Named) -> Result<Record> {
    let record = datasets::find(head, named).await?;
    record.with_context(|| {
        format!(
            "there is no dataset {named} on this chain: it was not submitted, or is gone because it was withdrawn, \
             rejected, sent back or delisted; see `chasqui-worker dataset list`"
        )
    })
}

async fn show(named: &Named, node: &NodeOptions, json: JsonOption) -> Result<()> {
    let chain = node.connect().await?;
    let head = chain.head().await?;
    let record = found(&head, named).await?;
    let mut value = record.json();
    value["waitsFor"] = json!(datasets::waits_for(&head, record.number).await?);
    value["uses"] = json!(datasets::uses(&head, record.number).await?);
    json.print(&value, || {
        println!("dataset {}  {}", record.number, text(&value, "root"));
        println!("  status       {}", text(&value, "status"));
        let waits = &value["waitsFor"];
        if waits.is_object() {
            let when = [
                ("block", "block"),
                ("relayBlock", "relay block"),
                ("case", "case"),
            ]
            .into_iter()
            .find(|(field, _)| waits[*field].is_u64())
            .map_or(String::new(), |(field, word)| {
                format!(", {word} {}", waits[field])
            });
            println!(
                "  waits for    {}{when}; tries that came to nothing: {}",
                text(waits, "for"),
                waits["failedTries"]
            );
        }
        println!("  submitter    {}", text(&value, "submitter"));
        println!("  deposit      {}", format_dot(record.deposit()));
        println!(
            "  tokens       {} ({} held out), {} bytes",
            value["tokens"], value["heldOut"], value["bytes"]
        );
        println!(
            "  tokenizer    {}, vocabulary {}",
            text(&value, "tokenizer"),
            value["vocabulary"]
        );
        println!("  licence      {}", text(&value, "licence"));
        println!("  description  {}", text(&value, "description"));
        for made in value["uses"].as_array().into_iter().flatten() {
            println!(
                "  run {:>4}     {} units paid for, {} points for the submitter",
                made["run"],
                text(made, "units"),
                made["points"]
            );
        }
    });
    Ok(())
}

async fn withdraw(
    named: &Named,
    key: &KeyOptions,
    node: &NodeOptions,
    json: JsonOption,
) -> Result<()> {
    let account = key.signer()?.account();
    let chain = &node.connect().await?;
    let record = found(&chain.head().await?, named).await?;
    ensure!(
        record.submitter() == account,
        "dataset {} was submitted by {}, not by {account}: give that account's key",
        record.number,
        record.submitter()
    );
    let number = record.number;
    key.sign(chain, |signer| async move {
        datasets::withdraw(chain, &signer, number).await
    })
    .await?;
    let value = json!({
        "dataset": number,
        "root": format!("{:?}", record.root()),
        "returned": record.deposit().to_string(),
    });
    json.print(&value, || {
        println!(
            "dataset {number} withdrawn; {} return",
            format_dot(record.deposit())
        );
    });
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("-")
}

/// A bar on a terminal; nothing elsewhere.
fn bar(length: u64, template: &str) -> Result<ProgressBar> {
    let bar = ProgressBar::new(length);
    bar.set_style(ProgressStyle::with_template(template)?);
    Ok(bar)
}

/// Reads a whole dataset, so that nobody puts a deposit on one that validators would reject.
fn validate(dataset: &Dataset) -> Result<()> {
    let bar = bar(
        dataset.header().tokens,
        "checking  {bar:30} {human_pos}/{human_len} tokens  {eta}",
    )?;
    let outcome = dataset.validate(|tokens| bar.set_position(tokens));
    bar.finish_and_clear();
    Ok(outcome?)
}
