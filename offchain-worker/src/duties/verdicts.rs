//! Verdicts between commitment and reveal, on disk: a restarted worker reveals what it committed to.

use anyhow::{Context, Result};
use chasqui_primitives::{
    audit::{Evidence, Verdict},
    CaseId,
};
use parity_scale_codec::{Decode, Encode};
use std::{fs, io::Write, path::PathBuf};

use super::DutyStage;

/// What an auditor committed to.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StoredVerdict {
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

    /// Reads a verdict; `None` if there is none, or not a whole one.
    pub fn get(&self, case: CaseId, stage: DutyStage, round: u32) -> Option<StoredVerdict> {
        let bytes = fs::read(self.path(case, stage, round)).ok()?;
        StoredVerdict::decode(&mut bytes.as_slice()).ok()
    }

    /// Forgets a verdict that was revealed.
    pub fn remove(&self, case: CaseId, stage: DutyStage, round: u32) {
        let _ = fs::remove_file(self.path(case, stage, round));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> StoredVerdict {
        StoredVerdict {
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
        assert_eq!(again.get(3, DutyStage::Two, 0), Some(verdict()));
        assert_eq!(again.get(3, DutyStage::One, 0), None);
        assert_eq!(again.get(4, DutyStage::Two, 0), None);
        assert_eq!(again.get(3, DutyStage::Two, 1), None);
        again.remove(3, DutyStage::Two, 0);
        assert_eq!(again.get(3, DutyStage::Two, 0), None);
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
        assert_eq!(store.get(1, DutyStage::One, 0), None);
        Ok(())
    }
}
