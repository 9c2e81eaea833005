//! What a checkpoint was made from, step by step.

use anyhow::{ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Head};
use chasqui_primitives::CheckpointRoot;
use serde_json::{json, Value};

use super::attested;
use crate::view::fetch;

/// Most steps that are followed.
pub const MAX_DEPTH: u32 = 64;

type Lineage = api::runtime_types::pallet_checkpoints::types::Lineage<AccountId32, u32>;
type Status = api::runtime_types::pallet_checkpoints::types::Status;

/// A checkpoint in a line of ancestors.
#[derive(Clone, Debug)]
pub struct Step {
    root: CheckpointRoot,
    name: String,
    status: &'static str,
    /// As its lineage says, else as its proposer does.
    parent: Option<CheckpointRoot>,
    /// For an adapter.
    base: Option<CheckpointRoot>,
    lineage: Option<Lineage>,
    known: bool,
}

impl Step {
    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match (self.known, self.base, &self.lineage, self.parent) {
            (false, ..) => "unknown",
            (_, Some(_), ..) => "adapter",
            (_, _, Some(_), _) => "trained",
            (_, _, None, Some(_)) => "derived",
            (_, _, None, None) => "base",
        }
    }

    fn json(&self) -> Value {
        let text = |root: &Option<CheckpointRoot>| root.map(|root| format!("{root:?}"));
        let made = self.lineage.as_ref();
        json!({
            "checkpoint": format!("{:?}", self.root),
            "name": self.name,
            "kind": self.kind(),
            "status": self.status,
            "parent": text(&self.parent),
            "base": text(&self.base),
            "run": made.map(|made| made.run),
            // The last round that is in it is counted from zero.
            "rounds": made.map(|made| made.round.saturating_add(1)),
            "dataset": made.map(|made| format!("{:?}", made.dataset)),
            "registeredBy": made.map(|made| made.by.to_string()),
            "registeredAt": made.map(|made| made.registered_at),
        })
    }
}

async fn step(head: &Head, root: CheckpointRoot) -> Result<Step> {
    let lineage: Option<Lineage> = fetch!(head, api::storage().checkpoints().lineages(), (root,));
    let checkpoint = fetch!(head, api::storage().checkpoints().registry(), (root,));
    let info = checkpoint.as_ref().map(|found| &found.info);
    let (parent, base) = match (&lineage, info) {
        (Some(made), _) => (made.parent, made.base),
        (None, Some(info)) => (info.parent, info.base),
        (None, None) => (None, None),
    };
    let status = checkpoint.as_ref().map(|found| match found.status {
        Status::Calibrating => "calibrating",
        Status::Stalled => "stalled",
        Status::Calibrated => "calibrated",
        Status::Accepted => "accepted",
        Status::Retired => "retired",
    });
    Ok(Step {
        root,
        name: info
            .map(|info| String::from_utf8_lossy(&info.name.0).into_owned())
            .unwrap_or_default(),
        status: status.unwrap_or("notRegistered"),
        parent,
        base,
        known: checkpoint.is_some() || lineage.is_some(),
        lineage,
    })
}

/// A checkpoint and what it was made from, up to `depth` of them, as commands print it: newest first, each with the medians
/// that validators attested.
///
/// # Errors
/// The chain does not know the checkpoint.
pub async fn walk(head: &Head, root: CheckpointRoot, depth: u32) -> Result<Value> {
    let mut steps: Vec<Step> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut next = Some(root);
    let mut cyclic = false;
    while let Some(root) = next {
        if steps.len() as u64 >= u64::from(depth) {
            break;
        }
        // The chain lets nobody name a parent that is not there yet; whoever reads does not rely on that.
        if steps.iter().any(|known| known.root == root) {
            cyclic = true;
            break;
        }
        let found = step(head, root).await?;
        ensure!(
            found.known || !steps.is_empty(),
            "checkpoint {root:?} is not registered on this chain, and no run made it: see `chasqui-worker checkpoint list`"
        );
        let mut value = found.json();
        let evaluations = attested::of(head, &root)
            .await
            .context("reading evaluations")?;
        value["evaluations"] = json!(attested::by_dataset(&evaluations, false));
        next = found.parent;
        steps.push(found);
        values.push(value);
    }
    Ok(json!({
        "checkpoint": format!("{root:?}"),
        "steps": values,
        // Whether its first ancestor is among them.
        "complete": next.is_none() && !cyclic,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chasqui_chain::H256;

    // GIVEN checkpoints that were proposed, derived, trained, adapted, or are not known
    // WHEN they are named
    // THEN each by what it is
    #[test]
    fn a_step_is_named_by_what_it_is() {
        let root = H256::repeat_byte(1);
        let lineage = Lineage {
            parent: Some(root),
            base: None,
            run: 3,
            round: 4,
            dataset: root,
            by: AccountId32([2; 32]),
            registered_at: 9,
            described: true,
        };
        let base = Step {
            root,
            name: "tales".into(),
            status: "accepted",
            parent: None,
            base: None,
            lineage: None,
            known: true,
        };
        let derived = Step {
            parent: Some(root),
            ..base.clone()
        };
        let trained = Step {
            lineage: Some(lineage),
            ..derived.clone()
        };
        let adapter = Step {
            base: Some(root),
            ..trained.clone()
        };
        let unknown = Step {
            known: false,
            ..base.clone()
        };
        let kinds = [&base, &derived, &trained, &adapter, &unknown].map(Step::kind);
        assert_eq!(kinds, ["base", "derived", "trained", "adapter", "unknown"]);
        let shown = trained.json();
        assert_eq!((&shown["run"], &shown["rounds"]), (&json!(3), &json!(5)));
        assert_eq!(base.json()["run"], Value::Null);
    }
}
