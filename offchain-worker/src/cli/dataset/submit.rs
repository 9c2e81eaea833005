//! `dataset submit`.

use super::{build::described, validate};
use crate::{
    blobs::{BlobError, BlobStore},
    cli::{
        failure::Failure,
        options::{format_dot, JsonOption, KeyOptions, NodeOptions},
    },
    config::default_blob_dir,
    datasets::{
        self,
        outcome::{self, Outcome, Told},
        MAX_DESCRIPTION_BYTES, MAX_LICENCE_BYTES,
    },
    training::setup,
};
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::{AccountId32, Chain};
use chasqui_primitives::{blob::CHUNK_BYTES, traits::DatasetTerms, DatasetId};
use chasqui_training::diloco::Dataset;
use indicatif::ProgressBar;
use serde_json::{json, Value};
use sp_core::H256;
use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// Submit a dataset.
#[derive(Debug, clap::Args)]
pub struct SubmitCommand {
    /// The dataset: a file as `dataset build --out` makes it, or the root of one in the blob folder.
    #[arg(value_name = "FILE|ROOT")]
    pub dataset: String,
    /// The licence of its texts, an SPDX expression such as CC-BY-4.0.
    #[arg(long, value_name = "SPDX")]
    pub licence: String,
    /// What is in it, and where it comes from.
    #[arg(long, value_name = "TEXT")]
    pub description: String,
    /// The blob folder of the worker that will hand it out; a file is put into it.
    #[arg(long, value_name = "DIR", default_value_os_t = default_blob_dir())]
    pub blob_dir: PathBuf,
    /// Wait until validators have decided; fails unless the dataset is usable then.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub key: KeyOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

impl SubmitCommand {
    pub(super) async fn run(self) -> Result<()> {
        let account = self.key.signer()?.account();
        for (option, text, most) in [
            ("--licence", &self.licence, MAX_LICENCE_BYTES),
            ("--description", &self.description, MAX_DESCRIPTION_BYTES),
        ] {
            ensure!(
                !text.trim().is_empty() && text.len() <= most,
                "{option}: has {} bytes; 1 to {most}, and not only spaces",
                text.len()
            );
        }
        let (root, terms) = self.dataset()?;
        let chain = &self.node.connect().await?;
        let before = chain.head().await?.number;
        let (licence, description) = (&self.licence, &self.description);
        let submitted = self.key.sign(chain, |signer| async move {
            datasets::submit(chain, &signer, root, &terms, licence, description).await
        });
        let (number, deposit) = submitted.await?;
        let mut value = described(&root, &terms);
        value["dataset"] = json!(number);
        value["deposit"] = json!(deposit.to_string());
        let operators = datasets::operators_of(&chain.head().await?, &account).await?;
        let names: Vec<String> = operators.iter().map(AccountId32::to_string).collect();
        value["operators"] = json!(names);
        eprintln!(
            "submitted as dataset {number}; {} are on hold",
            format_dot(deposit)
        );
        eprintln!("{}", whom_validators_ask(&names, &self.blob_dir));
        if self.wait {
            self.decided(chain, number, before, &mut value).await?;
        }
        self.json.print(&value, || println!("{number}"));
        Ok(())
    }

    /// Waits for the decision. Anything but a usable dataset is a failure.
    async fn decided(
        &self,
        chain: &Chain,
        number: DatasetId,
        before: u32,
        value: &mut Value,
    ) -> Result<()> {
        let outcome = outcome::follow(chain, number, before, |told| {
            match told {
            Told::InAudit { case } => eprintln!("case {case}: validators look at it"),
            Told::TriedInVain { failed } => eprintln!(
                "{failed} tries came to nothing: nobody could judge it, or nobody gave it to those who did; another follows"
            ),
            Told::Decided(_) => {}
        }
        });
        let outcome = outcome.await?;
        let (name, words) = match outcome {
            Outcome::Usable => {
                value["status"] = json!("usable");
                eprintln!("validators found it usable");
                return Ok(());
            }
            Outcome::Rejected { lost } => {
                value["lost"] = json!(lost.to_string());
                let words = format!(
                    "validators found that it is not what was stated; {} of the deposit are lost",
                    format_dot(lost)
                );
                ("rejected", words)
            }
            Outcome::SentBack => (
                "sentBack",
                "every try came to nothing, and what is left of the deposit returned: keep a worker running that hands \
                 it out, then submit it again"
                    .into(),
            ),
            Outcome::Withdrawn => ("withdrawn", "it was withdrawn".into()),
            Outcome::Delisted => ("delisted", "it was taken off the list".into()),
        };
        value["status"] = json!(name);
        let failure = Failure::new(format!("dataset {number}: {words}"));
        Err(failure.with(value.clone()).into())
    }

    /// The dataset, checked as a whole and in the blob folder.
    fn dataset(&self) -> Result<(H256, DatasetTerms)> {
        let path = Path::new(&self.dataset);
        let root = H256::from_str(&self.dataset)
            .ok()
            .filter(|_| !path.exists());
        if root.is_none() && !path.is_file() {
            bail!(
                "'{}' is neither a file nor a root (0x and 64 hexadecimal digits): build a dataset first, by \
                 `chasqui-worker dataset build`",
                self.dataset
            );
        }
        let store = BlobStore::open_dir(&self.blob_dir).context("--blob-dir")?;
        let (dataset, root) = match root {
            Some(root) => {
                let opened = setup::open_dataset(&store, &root);
                let missing = |error: &anyhow::Error| {
                    matches!(error.downcast_ref(), Some(BlobError::Missing { .. }))
                };
                match opened {
                    Err(error) if missing(&error) => bail!(
                        "--blob-dir: {} does not hold {root:?}; give the dataset's file, or the blob folder it was built \
                         into",
                        self.blob_dir.display()
                    ),
                    opened => (opened?, Some(root)),
                }
            }
            None => (Dataset::open(path)?, None),
        };
        validate(&dataset)?;
        let terms = datasets::terms_of(dataset.header());
        ensure!(
            terms.is_consistent(),
            "the dataset has {} tokens, {} of them held out: there must be some to train on",
            terms.tokens,
            terms.held_out
        );
        if let Some(root) = root {
            return Ok((root, terms));
        }
        let copying = ProgressBar::new_spinner().with_message("putting it into the blob folder");
        copying.enable_steady_tick(Duration::from_millis(200));
        let info = store.put_file(path, CHUNK_BYTES)?;
        copying.finish_and_clear();
        ensure!(
            info.len == terms.bytes,
            "{} changed while it was read",
            path.display()
        );
        Ok((info.root(), terms))
    }
}

/// What the submitter must see to now.
fn whom_validators_ask(operators: &[String], blobs: &Path) -> String {
    let blobs = blobs.display();
    match operators {
        [] => format!(
            "this account has no operator: validators ask all others, so have the blob in {blobs} put into the blob \
             folder of an operator whose worker listens and shares datasets"
        ),
        some => format!(
            "validators and members of runs ask {} for it: keep a worker of it running, with `listen`, and with {blobs} \
             as `blob_dir`",
            some.join(", ")
        ),
    }
}
