//! What a member hands out of a run, and for how long: a group of blobs for what all need, for each round, for the models
//! between them, and for each checkpoint that is made.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use chasqui_primitives::{
    training::{ModelState, RunTerms},
    RunId,
};
use sp_core::H256;

use super::{blobs::Vault, facts::Facts};
use crate::{blobs::exchange::checkpoint_blobs, training::setup};

/// The groups of one run.
#[derive(Clone, Debug)]
pub struct Shelves {
    run: RunId,
    vault: Vault,
}

/// A run that a group of shared blobs belongs to.
pub fn run_of_group(group: &str) -> Option<RunId> {
    let (run, _) = group.strip_prefix("run-")?.split_once('-')?;
    run.parse().ok()
}

impl Shelves {
    /// Of the run `run`.
    pub fn new(run: RunId, vault: Vault) -> Self {
        Self { run, vault }
    }

    fn group(&self, what: &str) -> String {
        format!("run-{}-{what}", self.run)
    }

    fn round(&self, round: u32) -> String {
        self.group(&format!("round-{round}"))
    }

    /// Numbers of the groups whose names begin so.
    fn numbered(&self, what: &str) -> Vec<u32> {
        let prefix = self.group(what);
        let names = self.vault.shares.names();
        let numbers = names.iter().filter_map(|name| name.strip_prefix(&prefix));
        numbers.filter_map(|number| number.parse().ok()).collect()
    }

    /// Hands out what the run starts from, and its data.
    ///
    /// # Errors
    /// They are not here, or the disk refuses.
    pub fn share_base(&self, terms: &RunTerms) -> Result<()> {
        let roots = setup::shared(&self.vault.store, terms)?;
        Ok(self.vault.shares.put(&self.group("base"), roots)?)
    }

    /// Hands out a model between two rounds.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn share_model(&self, model: &ModelState) -> Result<()> {
        let roots = [model.params, model.momentum];
        Ok(self.vault.shares.add(&self.group("model"), roots)?)
    }

    /// Hands out the checkpoint that a round makes, if it makes one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn share_made(&self, round: u32, model: &ModelState) -> Result<()> {
        if model.checkpoint.is_zero() {
            return Ok(());
        }
        let roots = checkpoint_blobs(&self.vault.store, &model.checkpoint)?;
        let group = self.group(&format!("made-{round}"));
        Ok(self.vault.shares.put(&group, roots)?)
    }

    /// Hands out what a member reports of a round.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn share_round(&self, round: u32, roots: BTreeSet<H256>) -> Result<()> {
        Ok(self.vault.shares.add(&self.round(round), roots)?)
    }

    /// Hands out what came from others in a round, too.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn add_to_round(&self, round: u32, roots: impl Iterator<Item = H256>) -> Result<()> {
        let here = roots.filter(|root| self.vault.store.contains(root));
        Ok(self.vault.shares.add(&self.round(round), here)?)
    }

    /// Bytes on disk of all that is handed out of the run but its base and data.
    pub fn bytes(&self) -> u64 {
        let base = self.group("base");
        let own = self.group("");
        let names = self.vault.shares.names();
        let groups = names
            .iter()
            .filter(|name| name.starts_with(&own) && **name != base);
        let roots: BTreeSet<H256> = groups
            .flat_map(|name| self.vault.shares.group(name))
            .collect();
        let len = |root: &H256| {
            std::fs::metadata(self.vault.store.data_path(root)).map_or(0, |file| file.len())
        };
        roots.iter().map(len).sum()
    }

    /// Stops handing out what nobody can ask for any more, and removes it. `relied` is what the state folder needs,
    /// `outcomes` what this member made of rounds that may yet be agreed on.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn tidy(
        &self,
        facts: &Facts,
        relied: &BTreeSet<H256>,
        outcomes: &[ModelState],
    ) -> Result<()> {
        let kept = self.kept(&facts.terms, relied);
        for round in self.numbered("round-") {
            if !facts.needs_round(round) {
                self.drop_group(&self.round(round), &kept)?;
            }
        }
        let group = self.group("model");
        let held = self.vault.shares.group(&group);
        let wanted: BTreeSet<H256> = facts
            .models()
            .into_iter()
            .chain(
                outcomes
                    .iter()
                    .flat_map(|model| [model.params, model.momentum]),
            )
            .filter(|root| self.vault.store.contains(root))
            .collect();
        self.vault.shares.put(&group, wanted)?;
        self.remove(held, &kept)?;
        let made = self.numbered("made-");
        let last = facts.run.settled.map(|last| last.round);
        // The newest one of a final round stays, and what is not final yet.
        let newest = made.iter().filter(|round| Some(**round) <= last).max();
        for round in &made {
            if Some(*round) <= last && Some(round) != newest {
                self.drop_group(&self.group(&format!("made-{round}")), &kept)?;
            }
        }
        Ok(())
    }

    /// The run is over: only the newest checkpoint stays.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn end(&self, terms: &RunTerms) -> Result<()> {
        let kept = self.kept(terms, &BTreeSet::new());
        for round in self.numbered("round-") {
            self.drop_group(&self.round(round), &kept)?;
        }
        self.drop_group(&self.group("model"), &kept)?;
        // Base and data are others' to remove: this operator may serve them.
        self.vault
            .shares
            .drop_group(&self.group("base"))
            .context("unsharing what the run started from")
    }

    /// What is not removed, shared or not.
    fn kept(&self, terms: &RunTerms, relied: &BTreeSet<H256>) -> BTreeSet<H256> {
        let base = setup::shared(&self.vault.store, terms).unwrap_or_default();
        relied.iter().copied().chain(base).collect()
    }

    fn drop_group(&self, group: &str, kept: &BTreeSet<H256>) -> Result<()> {
        let roots = self.vault.shares.group(group);
        // First unshared, then removed: nobody is promised what is gone.
        self.vault.shares.drop_group(group)?;
        self.remove(roots, kept)
    }

    fn remove(&self, roots: BTreeSet<H256>, kept: &BTreeSet<H256>) -> Result<()> {
        for root in roots {
            if !kept.contains(&root) && !self.vault.shares.contains(&root) {
                self.vault.store.remove(&root)?;
            }
        }
        Ok(())
    }
}
