//! From what people name to an engine and a dataset: what is missing is fetched from whoever serves it.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head};
use chasqui_engine::{
    weights::{AdapterConfig, ADAPTER_CONFIG},
    Engine, LoadOptions,
};
use chasqui_primitives::{blob::MAX_BLOB_BYTES, NumericProfile};
use chasqui_training::diloco::Dataset;
use indicatif::ProgressBar;
use sp_core::H256;
use sp_crypto_hashing::blake2_256;
use tempfile::TempDir;

use crate::{
    blobs::{
        exchange::{fetch, fetch_checkpoint, FetchConfig, Holder, NodeBlobs},
        BlobError, BlobStore, Manifest,
    },
    datasets,
    models::{self, ModelCache},
    registry,
    training::setup,
    view::fetch as stored,
};

/// Most operators who are asked for a blob.
const MOST_HOLDERS: usize = 16;
/// Longest adapter configuration that is read, in bytes.
const MAX_ADAPTER_CONFIG_BYTES: u64 = 1 << 20;
/// Asks as nobody in particular.
const NOBODY: AccountId32 = AccountId32([0; 32]);

/// A checkpoint or a dataset: by its root, or where it lies on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Its root.
    Root(H256),
    /// Its folder or file.
    Path(PathBuf),
}

impl FromStr for Named {
    type Err = Infallible;

    /// A root, unless something of that name is here.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let path = Path::new(text);
        Ok(match H256::from_str(text) {
            Ok(root) if !path.exists() => Self::Root(root),
            _ => Self::Path(path.into()),
        })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root(root) => write!(f, "{root:?}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A loaded checkpoint.
pub struct Model {
    /// As it was named.
    pub name: String,
    /// With its adapter, if it is one.
    pub engine: Engine,
    /// BLAKE2b-256 of its `tokenizer.json`, if it has one.
    pub tokenizer: Option<H256>,
    /// How it is computed.
    pub profile: NumericProfile,
    /// For an adapter, what it changes.
    pub base: Option<String>,
}

/// How a checkpoint is loaded.
#[derive(Clone, Debug)]
pub struct Loading {
    /// As the engine names devices.
    pub device: String,
    /// Threads on the CPU; all when absent. Changes no bit.
    pub threads: Option<usize>,
    /// Instead of what the chain says.
    pub profile: Option<NumericProfile>,
}

/// Finds things, in a folder of blobs first, then by way of a node.
pub struct Finder {
    store: BlobStore,
    node: String,
    chain: Option<Chain>,
    /// Checkpoints are unpacked here; it goes with the finder.
    scratch: TempDir,
}

impl Finder {
    /// With the blobs in `blob_dir`, and the node at `node`, which is asked only where that is needed.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(blob_dir: &Path, node: &str) -> Result<Self> {
        let store = BlobStore::open_dir(blob_dir).context("--blob-dir")?;
        let scratch = tempfile::Builder::new()
            .prefix("evaluation-")
            .tempdir_in(blob_dir)
            .with_context(|| format!("--blob-dir: {}", blob_dir.display()))?;
        Ok(Self {
            store,
            node: node.into(),
            chain: None,
            scratch,
        })
    }

    /// The node, connected to once.
    ///
    /// # Errors
    /// It cannot be reached.
    pub async fn chain(&mut self) -> Result<Chain> {
        if let Some(chain) = &self.chain {
            return Ok(chain.clone());
        }
        let chain = Chain::connect(&self.node, None).await?;
        self.chain = Some(chain.clone());
        Ok(chain)
    }

    /// Loads a checkpoint; for an adapter that does not say what it changes, `base` does.
    ///
    /// # Errors
    /// It is neither here nor to be had, is no model, or an adapter without a base.
    pub async fn model(
        &mut self,
        named: &Named,
        base: Option<&Named>,
        loading: &Loading,
    ) -> Result<Model> {
        let folder = self.folder(named).await?;
        let mut names = vec![named.clone()];
        let (model, adapter) = match is_adapter(&folder) {
            false => (folder, None),
            true => {
                let base = match base {
                    Some(base) => base.clone(),
                    None => self.base_of(named, &folder).await?,
                };
                let under = self.folder(&base).await?;
                ensure!(
                    !is_adapter(&under),
                    "{base}, the base of {named}, is an adapter itself; give the checkpoint that holds all files by --base"
                );
                names.push(base);
                (under, Some(folder))
            }
        };
        let profile = match loading.profile {
            Some(profile) => profile,
            None => self.profile(&names).await?,
        };
        let options = LoadOptions {
            precision: models::precision(profile),
            threads: loading.threads,
            ..LoadOptions::on(&loading.device)
        };
        let spinner = spinner(format!("loading {named}"));
        let name = named.to_string();
        let loaded = tokio::task::spawn_blocking(move || {
            let engine = Engine::load_adapted(&model, adapter.as_deref(), &options)?;
            let tokenizer = model.join("tokenizer.json");
            let tokenizer = match engine.tokenizer() {
                Ok(_) => Some(H256(blake2_256(
                    &std::fs::read(&tokenizer)
                        .with_context(|| format!("reading {}", tokenizer.display()))?,
                ))),
                Err(_) => None,
            };
            Ok::<_, anyhow::Error>((engine, tokenizer))
        })
        .await?;
        spinner.finish_and_clear();
        let (engine, tokenizer) = loaded.with_context(|| format!("loading {name}"))?;
        Ok(Model {
            name,
            engine,
            tokenizer,
            profile,
            base: names.get(1).map(Named::to_string),
        })
    }

    /// How the first of these that is registered is computed; what is not registered, as it is stored.
    async fn profile(&mut self, names: &[Named]) -> Result<NumericProfile> {
        for named in names {
            let Named::Root(root) = named else { continue };
            let chain = self.chain().await.with_context(|| {
                format!("asking how {root:?} is computed; --precision does without a node")
            })?;
            let head = chain.head().await?;
            let found = stored!(head, api::storage().checkpoints().registry(), (*root,));
            if let Some(found) = found {
                return Ok(found.info.profile.0);
            }
        }
        Ok(NumericProfile::F32)
    }

    /// What an adapter changes: as its configuration says, which its root covers, else as its lineage on chain does.
    async fn base_of(&mut self, named: &Named, folder: &Path) -> Result<Named> {
        let path = folder.join(ADAPTER_CONFIG);
        let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        ensure!(
            size <= MAX_ADAPTER_CONFIG_BYTES,
            "{} has {size} bytes, more than an adapter's configuration may",
            path.display()
        );
        let text = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let config: AdapterConfig = serde_json::from_slice(&text)
            .with_context(|| format!("{} is no adapter's configuration", path.display()))?;
        if let Some(parent) = config.parent {
            let root = H256::from_str(&parent).ok().with_context(|| {
                format!(
                    "{}: field `parent` is no root; name the base by --base",
                    path.display()
                )
            })?;
            return Ok(Named::Root(root));
        }
        if let Named::Root(root) = named {
            let head = self.chain().await?.head().await?;
            let lineage = stored!(head, api::storage().checkpoints().lineages(), (*root,));
            if let Some(base) = lineage.and_then(|lineage| lineage.base) {
                return Ok(Named::Root(base));
            }
        }
        bail!(
            "{named} is an adapter, and neither {ADAPTER_CONFIG} (field `parent`) nor the chain says of what: name that \
             checkpoint by --base"
        )
    }

    /// The folder with a checkpoint's files.
    async fn folder(&mut self, named: &Named) -> Result<PathBuf> {
        let root = match named {
            Named::Path(path) if path.is_dir() => return Ok(path.clone()),
            Named::Path(path) => bail!(
                "'{}' is neither a folder nor a root (0x and 64 hexadecimal digits): see `chasqui-worker checkpoint \
                 list` for roots",
                path.display()
            ),
            Named::Root(root) => *root,
        };
        if !self.has_checkpoint(root).await? {
            let (holders, config) = self.holders_of_checkpoint(&root).await?;
            let spinner = spinner(format!("fetching the checkpoint {root:?}"));
            let fetched = fetch_checkpoint(&self.store, &root, &holders, &config).await;
            spinner.finish_and_clear();
            fetched.with_context(|| nobody_gives("checkpoint", &root))?;
        }
        let into = self.scratch.path().join(hex::encode(root.as_bytes()));
        if !into.exists() {
            let (store, folder) = (self.store.clone(), into.clone());
            let spinner = spinner(format!("unpacking {root:?}"));
            let unpacked = tokio::task::spawn_blocking(move || {
                Manifest::open(&store, &root)?.materialise(&store, &root, &folder)
            })
            .await?;
            spinner.finish_and_clear();
            unpacked?;
        }
        Ok(into)
    }

    async fn has_checkpoint(&self, root: H256) -> Result<bool> {
        let cache = ModelCache::new(
            self.store.clone(),
            self.scratch.path(),
            "cpu",
            Default::default(),
            1,
        );
        Ok(tokio::task::spawn_blocking(move || cache.is_available(&root)).await?)
    }

    /// Whoever serves it; of what a run made, also whoever serves that run, and whoever registered it.
    async fn holders_of_checkpoint(&mut self, root: &H256) -> Result<(Vec<Holder>, FetchConfig)> {
        let chain = self.chain().await.with_context(|| {
            format!("the checkpoint {root:?} is not in the blob folder (--blob-dir), so it must be fetched")
        })?;
        let head = chain.head().await?;
        let mut holders = registry::holders(&head, root, &NOBODY, MOST_HOLDERS).await?;
        let lineage = stored!(head, api::storage().checkpoints().lineages(), (*root,));
        if let Some(lineage) = lineage {
            let mut more: Vec<Holder> = registry::endpoint(&head, &lineage.by)
                .await
                .ok()
                .flatten()
                .into_iter()
                .collect();
            let terms = stored!(head, api::storage().training().terms(), (lineage.run,));
            if let Some(terms) = terms {
                let run = terms.0.root(&chain.genesis(), lineage.run);
                more.extend(registry::holders(&head, &run, &NOBODY, MOST_HOLDERS).await?);
            }
            for holder in more {
                if holders.len() < MOST_HOLDERS && !holders.contains(&holder) {
                    holders.push(holder);
                }
            }
        }
        Ok((holders, self.config(chain)))
    }

    fn config(&self, chain: Chain) -> FetchConfig {
        FetchConfig {
            patience: Duration::from_secs(20),
            node: Some(NodeBlobs::new(chain, self.store.clone())),
            ..FetchConfig::default()
        }
    }

    /// A dataset. Blocks are read when they are needed, each checked against the root.
    ///
    /// # Errors
    /// It is neither here nor to be had, or is no dataset.
    pub async fn dataset(&mut self, named: &Named) -> Result<Dataset> {
        let root = match named {
            Named::Path(path) if path.is_file() => return Ok(Dataset::open(path)?),
            Named::Path(path) => bail!(
                "'{}' is neither a file nor a root (0x and 64 hexadecimal digits): build a dataset first, by \
                 `chasqui-worker dataset build`, or see `chasqui-worker dataset list`",
                path.display()
            ),
            Named::Root(root) => *root,
        };
        if !self.store.contains(&root) {
            let chain = self.chain().await.with_context(|| {
                format!("the dataset {root:?} is not in the blob folder (--blob-dir), so it must be fetched")
            })?;
            let head = chain.head().await?;
            let (holders, most) = holders_of_dataset(&head, &root).await?;
            let config = self.config(chain);
            let spinner = spinner(format!("fetching the dataset {root:?}"));
            let fetched = fetch(&self.store, root, most, &holders, &config).await;
            spinner.finish_and_clear();
            fetched.with_context(|| nobody_gives("dataset", &root))?;
        }
        match setup::open_dataset(&self.store, &root) {
            Err(error) if matches!(error.downcast_ref(), Some(BlobError::Corrupt { .. })) => {
                Err(error.context("remove the damaged blob, and it is fetched anew"))
            }
            opened => opened,
        }
    }
}

async fn holders_of_dataset(head: &Head, root: &H256) -> Result<(Vec<Holder>, u64)> {
    let record = datasets::find(head, &datasets::Named::Root(*root)).await?;
    Ok(match record {
        Some(record) => (
            datasets::holders(head, &record.submitter(), None, MOST_HOLDERS).await?,
            record.terms().bytes,
        ),
        None => (Vec::new(), MAX_BLOB_BYTES),
    })
}

fn nobody_gives(what: &str, root: &H256) -> String {
    format!(
        "the {what} {root:?} is not in the blob folder, and nobody gives it: name another --blob-dir, or a copy on this \
         machine by its path"
    )
}

/// Whether a folder holds an adapter and no model of its own.
fn is_adapter(folder: &Path) -> bool {
    folder.join(ADAPTER_CONFIG).is_file() && !folder.join("config.json").is_file()
}

/// Turns on a terminal; nothing elsewhere.
fn spinner(message: String) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}
