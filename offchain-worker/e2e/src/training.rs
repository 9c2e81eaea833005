//! A training run on the network: a dataset, members with machines of their own, validators that judge.

use crate::{
    network::{Network, Operator},
    scenes::{text, ROOT_KEY},
};
use anyhow::Result;
use chasqui_training::corpus::{Corpus, Split};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Documents of the small dataset.
const DOCUMENTS: u64 = 150;
/// DOT that a round of the small run pays.
pub const ROUND_PAY: u128 = 30;

/// Members with machines, and blobs, of their own. The last one joins by itself whatever run there is.
pub fn members() -> Vec<Operator> {
    let member = |name: &str, training: &str| Operator {
        own_blobs: true,
        settings: training.into(),
        ..Operator::new(name, &format!("//Alice//{name}"), "compute")
    };
    vec![
        member("ines", ""),
        member("juan", ""),
        member("killa", "[training]\njoin = \"all\"\n"),
    ]
}

/// Terms of a run that takes seconds a round.
pub fn terms(base: &str, dataset: &str, rounds: u32) -> String {
    format!(
        "dataset = \"{dataset}\"\nrounds = {rounds}\nround_pay = \"{ROUND_PAY}\"\n\
         start = {{ checkpoint = \"{base}\" }}\nmembers = {{ min = 3, max = 4 }}\n\
         [recipe]\ninner_steps = 6\nbatch = 2\nmicro_batch = 2\nsequence = 64\nlearning_rate = 0.0005\nsegments = 3\n\
         [timing]\nforming = 2\nwarmup = 120\ntrain = 90\ngrace = 45\nexchange = 20\nattest = 30\naudit = 120\n\
         agree = 30\nchallenge = 5\nidle = 600\n"
    )
}

impl Network {
    /// Builds a small dataset of made-up tales for the model in `model`, into the blob folder `blobs`; its root.
    pub fn build_dataset(&self, model: &Path, blobs: &Path) -> Result<String> {
        let texts = self.folder().join("tales");
        std::fs::create_dir_all(&texts)?;
        let corpus = Corpus::new(23, Split::Train);
        for index in 0..DOCUMENTS {
            std::fs::write(
                texts.join(format!("{index:04}.txt")),
                corpus.document(index),
            )?;
        }
        let built = self.worker(&[
            "dataset",
            "build",
            &texts.display().to_string(),
            "--tokenizer",
            &model.display().to_string(),
            "--blob-dir",
            &blobs.display().to_string(),
            "--held-out-ppm",
            "100000",
            "--json",
        ])?;
        text(&built, "root")
    }

    /// Submits a dataset of the blob folder `blobs`, and waits until validators found it usable.
    pub fn submit_dataset(&self, root: &str, blobs: &Path, key: &str) -> Result<Value> {
        self.call(&[
            "dataset",
            "submit",
            root,
            "--licence",
            "Apache-2.0",
            "--description",
            "made-up tales",
            "--blob-dir",
            &blobs.display().to_string(),
            "--key",
            key,
            "--wait",
        ])
    }

    /// Pays DOT into the fund that runs are paid from.
    pub fn fill_fund(&self, amount: &str) -> Result<()> {
        let fund = text(&self.call(&["fund", "status"])?, "account")?;
        self.call(&[
            "account", "transfer", "--key", ROOT_KEY, "--to", &fund, "--amount", amount,
        ])?;
        Ok(())
    }

    /// Creates a run with the root key; its report.
    pub fn create_run(&self, terms: &str) -> Result<Value> {
        let file = self.folder().join("run.toml");
        std::fs::write(&file, terms)?;
        let file = file.display().to_string();
        self.call(&["train", "create", &file, "--key", ROOT_KEY])
    }

    /// Funds and registers an operator that serves nothing but this run, and starts its worker.
    pub fn start_member(&mut self, member: &Operator, run_root: &str) -> Result<usize> {
        self.fund(&member.key, "1200")?;
        self.register(member, run_root, 1, "1000")?;
        self.start_worker(member, &[])
    }

    /// Funds and registers an operator that serves no model yet, and starts its worker: it hands out what it has.
    pub fn start_host(&mut self, operator: &Operator) -> Result<usize> {
        self.fund(&operator.key, "1200")?;
        self.register_for(operator, &[], 1, "1000")?;
        self.start_worker(operator, &[])
    }

    /// Joins a run by command.
    pub fn join_run(&self, member: &Operator, run: &str) -> Result<Value> {
        self.call(&["train", "join", run, "--key", &member.hot_key()])
    }

    /// What the chain says of a run.
    pub fn run_status(&self, run: &str) -> Result<Value> {
        self.call(&["train", "status", run])
    }

    /// Waits until a run is over; what the chain says of it then.
    pub fn run_over(&mut self, run: &str, limit: Duration) -> Result<Value> {
        let over = |status: &Value| status["endedAt"].is_u64();
        self.wait_until("the run is over", limit, |network| {
            Ok(over(&network.run_status(run)?))
        })?;
        self.run_status(run)
    }

    /// The blob folder of an operator's worker.
    pub fn blobs_of(&self, operator: &Operator) -> PathBuf {
        match operator.own_blobs {
            true => self.folder().join(&operator.name).join("blobs"),
            false => self.blobs(),
        }
    }
}
