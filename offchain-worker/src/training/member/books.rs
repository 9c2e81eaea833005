//! What a member must not forget: one small file a round, written whole before anything of it is said on chain.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{bail, Context, Result};
use chasqui_chain::AccountId32;
use chasqui_primitives::{
    training::{ModelState, RoundReport},
    RunId,
};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use sp_core::H256;
use sp_crypto_hashing::blake2_256;

/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 16;

/// What a member commits to in a round: never anything else, however often it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Sealed {
    /// What is revealed later.
    pub report: RoundReport,
    /// With this.
    pub salt: [u8; 32],
    /// What both hash to.
    pub commitment: H256,
}

/// A round, as the member remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Page {
    /// What it commits to.
    pub sealed: Option<Sealed>,
    /// What the outer step gave.
    pub outcome: Option<ModelState>,
    /// Whether it has challenged the round.
    pub challenged: bool,
}

/// The pages of one run, a file each in its folder.
#[derive(Debug)]
pub struct Books {
    folder: PathBuf,
    genesis: H256,
    run: RunId,
    pages: BTreeMap<u32, Page>,
}

impl Books {
    /// Opens (creates) the folder.
    ///
    /// # Errors
    /// It cannot be made or read, or a page is damaged.
    pub fn open(folder: &Path, genesis: H256, run: RunId) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let failed = || format!("reading {}", folder.display());
        let mut pages = BTreeMap::new();
        for entry in fs::read_dir(folder).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name
                .and_then(|name| name.strip_prefix("round-"))
                .and_then(|rest| rest.strip_suffix(".page"))
                .and_then(|number| number.parse::<u32>().ok());
            if let Some(number) = number {
                pages.insert(number, read(&path, &genesis, run)?);
            }
        }
        Ok(Self {
            folder: folder.into(),
            genesis,
            run,
            pages,
        })
    }

    /// What is remembered of a round.
    pub fn page(&self, round: u32) -> Page {
        self.pages.get(&round).copied().unwrap_or_default()
    }

    /// Rounds that something is remembered of.
    pub fn rounds(&self) -> impl Iterator<Item = u32> + '_ {
        self.pages.keys().copied()
    }

    /// Seals a report for a round, with a salt that nobody can guess. A round that is sealed keeps what it was sealed with.
    ///
    /// # Errors
    /// Another report was sealed for the round, there is no randomness, or the disk refuses.
    pub fn seal(
        &mut self,
        author: &AccountId32,
        round: u32,
        report: RoundReport,
    ) -> Result<Sealed> {
        if let Some(sealed) = self.page(round).sealed {
            if sealed.report != report {
                bail!(
                    "round {round} was sealed with another report; nothing else is ever committed to for it"
                );
            }
            return Ok(sealed);
        }
        let mut salt = [0u8; 32];
        getrandom::getrandom(&mut salt)
            .map_err(|error| anyhow::anyhow!("no randomness for a salt: {error}"))?;
        let sealed = Sealed {
            report,
            salt,
            commitment: report.commitment(&self.genesis, author, self.run, round, &salt),
        };
        self.write(round, |page| page.sealed = Some(sealed))?;
        Ok(sealed)
    }

    /// Notes what the outer step of a round gave.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn note_outcome(&mut self, round: u32, outcome: ModelState) -> Result<()> {
        self.write(round, |page| page.outcome = Some(outcome))
    }

    /// Notes that a round was challenged.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn note_challenge(&mut self, round: u32) -> Result<()> {
        self.write(round, |page| page.challenged = true)
    }

    /// Forgets a round.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn forget(&mut self, round: u32) -> Result<()> {
        let path = self.path(round);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()))
            }
            _ => {}
        }
        self.pages.remove(&round);
        Ok(())
    }

    fn path(&self, round: u32) -> PathBuf {
        self.folder.join(format!("round-{round}.page"))
    }

    fn write(&mut self, round: u32, change: impl FnOnce(&mut Page)) -> Result<()> {
        let mut page = self.page(round);
        change(&mut page);
        let body = (self.genesis, self.run, page).encode();
        let bytes = [&blake2_256(&body)[..], &body].concat();
        let path = self.path(round);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            fs::File::open(&self.folder)?.sync_all()
        };
        write().with_context(|| format!("writing {}", path.display()))?;
        self.pages.insert(round, page);
        Ok(())
    }
}

fn read(path: &Path, genesis: &H256, run: RunId) -> Result<Page> {
    let shown = path.display();
    let len = fs::metadata(path)
        .with_context(|| format!("reading {shown}"))?
        .len();
    let bytes = match len <= MAX_BYTES {
        true => fs::read(path).with_context(|| format!("reading {shown}"))?,
        false => Vec::new(),
    };
    let page = bytes.split_first_chunk::<32>().and_then(|(sum, body)| {
        let whole = blake2_256(body) == *sum;
        <(H256, RunId, Page)>::decode_all(&mut &body[..])
            .ok()
            .filter(|_| whole)
    });
    match page {
        Some((of, number, page)) if (of, number) == (*genesis, run) => Ok(page),
        Some(_) => {
            bail!("{shown} is of another chain or run; give this chain a `state_dir` of its own")
        }
        None => bail!(
            "{shown} is damaged; delete it, and this member skips the round that it was about"
        ),
    }
}
