//! A training run on the network: a dataset, members with machines of their own, validators that judge.

use crate::{
    network::{Network, Operator},
    scenes::{text, ROOT_KEY},
};
use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, H256};
use chasqui_primitives::{blob::CHUNK_BYTES, traits::DatasetTerms, DatasetId};
use chasqui_training::{
    corpus::{Corpus, Split},
    diloco::dataset::{build, BuildOptions, Dataset, TextEncoder},
};
use chasqui_worker::blobs::BlobStore;
use parity_scale_codec::Encode;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Documents of the small dataset.
const DOCUMENTS: u64 = 150;
/// DOT that a round of the small run pays.
pub const ROUND_PAY: u128 = 30;

/// A dataset that was built.
#[derive(Clone, Debug)]
pub struct BuiltDataset {
    /// Root of its blob.
    pub root: String,
    terms: DatasetTerms,
}

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
    /// Builds a small dataset of made-up tales for the model in `model`, and puts it into the blob folder `blobs`.
    pub fn build_dataset(&self, model: &Path, blobs: &Path) -> Result<BuiltDataset> {
        let texts = self.folder().join("tales");
        std::fs::create_dir_all(&texts)?;
        let corpus = Corpus::new(23, Split::Train);
        for index in 0..DOCUMENTS {
            std::fs::write(
                texts.join(format!("{index:04}.txt")),
                corpus.document(index),
            )?;
        }
        let file = self.folder().join("tales.data");
        let options = BuildOptions {
            held_out_ppm: 100_000,
            ..BuildOptions::default()
        };
        build(
            &[&texts],
            &TextEncoder::from_dir(model)?,
            &file,
            &options,
            |_| {},
        )?;
        let dataset = Dataset::open(&file)?;
        let header = dataset.header();
        let root = BlobStore::open_dir(blobs)?
            .put_file(&file, CHUNK_BYTES)?
            .root();
        Ok(BuiltDataset {
            root: format!("{root:?}"),
            terms: DatasetTerms {
                bytes: header.bytes(),
                tokens: header.tokens,
                held_out: header.held_out,
                vocabulary: header.vocabulary,
                tokenizer: header.tokenizer,
            },
        })
    }

    /// The development chain's root enters the dataset as one that validators found usable.
    pub fn enter_dataset(&self, dataset: &BuiltDataset) -> Result<()> {
        let url = self.url();
        tokio::runtime::Runtime::new()?.block_on(enter(&url, dataset))
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

async fn enter(url: &str, dataset: &BuiltDataset) -> Result<()> {
    use api::runtime_types::{chasqui_runtime::RuntimeCall, frame_system::pallet::Call};
    let chain = Chain::connect(url, None).await?;
    let signer = chasqui_chain::Signer::from_uri(ROOT_KEY)?;
    let head = chain.head().await?;
    let storage = head.at.storage();
    let id: DatasetId = 0;
    let root: H256 = dataset.root.parse().context("the dataset's root")?;
    let submitter: AccountId32 = signer.account();
    let (licence, about) = (b"Apache-2.0".to_vec(), b"made-up tales".to_vec());
    // As pallet datasets stores it: `Usable`, no deposit, used by nobody yet.
    let record = (root, submitter, dataset.terms, licence, about).encode();
    let rest = (0u128, head.number, 1u8, 0u32).encode();
    let items = vec![
        (
            storage
                .entry(api::storage().datasets().registry())?
                .fetch_key((id,))?,
            [record, rest].concat(),
        ),
        (
            storage
                .entry(api::storage().datasets().roots())?
                .fetch_key((root,))?,
            id.encode(),
        ),
        (
            storage
                .entry(api::storage().datasets().next_dataset())?
                .fetch_key(())?,
            1u32.encode(),
        ),
    ];
    let call = RuntimeCall::System(Call::set_storage { items });
    chain.submit(&signer, &api::tx().sudo().sudo(call)).await?;
    let known = chain.next_head(head.number).await?;
    let entry = known
        .at
        .storage()
        .entry(api::storage().datasets().registry())?;
    let found = entry.fetch((id,)).await?.decode()?;
    ensure!(
        found.root == root && found.runs == 0,
        "the dataset was not entered"
    );
    Ok(())
}
