//! Verdicts between commitment and reveal, on disk: a restarted worker reveals what it committed to.

use anyhow::{Context, Result};
use chasqui_chain::H256;
use chasqui_primitives::{
    audit::{Evidence, Verdict},
    CaseId,
};
use parity_scale_codec::{Decode, DecodeAll, Encode};
use std::{fs, io::Write, path::PathBuf};

use super::DutyStage;

/// What an auditor committed to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StoredVerdict {
    /// Projection seed of the round: no two rounds share one, not even on chains that number their cases alike.
    pub panel: [u8; 32],
    pub verdict: Verdict,
    pub evidence: Evidence,
    pub salt: [u8; 32],
}

/// A folder with one small file a verdict.
#[derive(Clone, Debug)]
pub struct VerdictStore {
    folder: PathBuf,
}

impl VerdictStore {
    /// Opens (creates) the folder.
    pub fn open(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        Ok(Self { folder })
    }

    fn path(&self, case: CaseId, stage: DutyStage, round: u32) -> PathBuf {
        let stage = match stage {
            DutyStage::One => 1,
            DutyStage::Two => 2,
        };
        self.folder.join(format!("{case}-{stage}-{round}.verdict"))
    }

    /// Writes a verdict so that it is either wholly there or not at all, before it is committed to.
    pub fn put(
        &self,
        case: CaseId,
        stage: DutyStage,
        round: u32,
        verdict: &StoredVerdict,
    ) -> Result<()> {
        let path = self.path(case, stage, round);
        let draft = path.with_extension("part");
        let mut file =
            fs::File::create(&draft).with_context(|| format!("writing {}", draft.display()))?;
        file.write_all(&verdict.encode())?;
        file.sync_all()?;
        fs::rename(&draft, &path).with_context(|| format!("writing {}", path.display()))
    }

    /// Reads a verdict; `None` if there is none, not a whole one, or one of another chain's round.
    pub fn get(
        &self,
        case: CaseId,
        stage: DutyStage,
        round: u32,
        panel: &H256,
    ) -> Option<StoredVerdict> {
        let bytes = fs::read(self.path(case, stage, round)).ok()?;
        let stored = StoredVerdict::decode_all(&mut bytes.as_slice()).ok()?;
        (stored.panel == panel.0).then_some(stored)
    }

    /// Forgets a verdict that was revealed.
    pub fn remove(&self, case: CaseId, stage: DutyStage, round: u32) {
        let _ = fs::remove_file(self.path(case, stage, round));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANEL: H256 = H256([9; 32]);

    fn verdict() -> StoredVerdict {
        StoredVerdict {
            panel: PANEL.0,
            verdict: Verdict::Soft,
            evidence: Evidence::truncate_from(vec![1, -2, 3]),
            salt: [7; 32],
        }
    }

    #[test]
    fn a_verdict_survives_a_restart() -> Result<()> {
        // GIVEN a verdict that was stored
        let folder = tempfile::tempdir()?;
        VerdictStore::open(folder.path().into())?.put(3, DutyStage::Two, 0, &verdict())?;
        // WHEN the store is opened anew THEN it is there, and only under its own case, stage and round
        let again = VerdictStore::open(folder.path().into())?;
        assert_eq!(again.get(3, DutyStage::Two, 0, &PANEL), Some(verdict()));
        assert_eq!(again.get(3, DutyStage::One, 0, &PANEL), None);
        assert_eq!(again.get(4, DutyStage::Two, 0, &PANEL), None);
        assert_eq!(again.get(3, DutyStage::Two, 1, &PANEL), None);
        again.remove(3, DutyStage::Two, 0);
        assert_eq!(again.get(3, DutyStage::Two, 0, &PANEL), None);
        Ok(())
    }

    #[test]
    fn a_verdict_of_another_chain_is_none() -> Result<()> {
        // GIVEN a verdict on a case of a chain that was begun anew WHEN a case of the same number comes THEN it is
        // judged afresh
        let folder = tempfile::tempdir()?;
        let store = VerdictStore::open(folder.path().into())?;
        store.put(3, DutyStage::One, 0, &verdict())?;
        let panel = H256([8; 32]);
        assert_eq!(store.get(3, DutyStage::One, 0, &panel), None);
        Ok(())
    }

    #[test]
    fn a_torn_file_is_no_verdict() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = VerdictStore::open(folder.path().into())?;
        store.put(1, DutyStage::One, 0, &verdict())?;
        let path = store.path(1, DutyStage::One, 0);
        let whole = fs::read(&path)?;
        fs::write(&path, &whole[..whole.len() / 2])?;
        assert_eq!(store.get(1, DutyStage::One, 0, &PANEL), None);
        Ok(())
    }
}
