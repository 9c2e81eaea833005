//! What this gateway remembers of operators: who failed lately is asked last, who was proven false never again.

use chasqui_session::AccountId;
use std::{
    collections::{HashMap, HashSet},
    io::{Read, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

/// Longest file of operators that were proven false, in bytes: some hundreds of them.
const MOST_BYTES: u64 = 64 << 10;

/// Most operators that are remembered at once; those that are forgiven first go first.
const MOST: usize = 1_024;
/// For how long a first failure counts, and at the most.
const AVOID: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(600));

#[derive(Debug, Clone, Copy)]
struct Mark {
    until: Instant,
    failures: u32,
}

/// Marks against operators.
#[derive(Debug, Default)]
pub struct Operators {
    marks: HashMap<AccountId, Mark>,
    false_ones: HashSet<AccountId>,
    /// Where those proven false are kept, an account a line in hexadecimal.
    file: Option<PathBuf>,
}

impl Operators {
    /// With those that `file` says were proven false, if it is there; further ones are added to it.
    ///
    /// # Errors
    /// It cannot be read. Lines that are no accounts are left out.
    pub fn open(file: PathBuf) -> std::io::Result<Self> {
        let mut text = String::new();
        match std::fs::File::open(&file) {
            Ok(opened) => {
                opened.take(MOST_BYTES).read_to_string(&mut text)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let account = |line: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(line.trim(), &mut bytes).ok()?;
            Some(AccountId::new(bytes))
        };
        Ok(Self {
            false_ones: text.lines().filter_map(account).collect(),
            file: Some(file),
            ..Self::default()
        })
    }

    /// Those that were proven false.
    pub fn false_ones(&self) -> impl Iterator<Item = &AccountId> {
        self.false_ones.iter()
    }

    /// How gladly one is asked at `now`, 0 first; `None` for never.
    pub fn rank(&self, operator: &AccountId, now: Instant) -> Option<u32> {
        if self.false_ones.contains(operator) {
            return None;
        }
        let mark = self.marks.get(operator);
        let avoided = mark.filter(|mark| mark.until > now);
        Some(avoided.map_or(0, |mark| mark.failures.max(1)))
    }

    /// One could not be reached, broke off or refused: it is avoided, twice as long after each failure in a row.
    pub fn failed(&mut self, operator: &AccountId, now: Instant) {
        let failures = self.marks.get(operator).map_or(0, |mark| mark.failures);
        let doublings = failures.min(16);
        let time = AVOID.0.saturating_mul(1 << doublings).min(AVOID.1);
        self.mark(operator, now, time, failures.saturating_add(1));
    }

    /// One is busy: others are asked first for a moment.
    pub fn busy(&mut self, operator: &AccountId, now: Instant) {
        let failures = self.marks.get(operator).map_or(0, |mark| mark.failures);
        self.mark(operator, now, Duration::from_secs(2), failures);
    }

    /// One answered: what was before is forgiven.
    pub fn answered(&mut self, operator: &AccountId) {
        self.marks.remove(operator);
    }

    /// One was proven false.
    pub fn is_false(&mut self, operator: &AccountId) {
        if !self.false_ones.insert(operator.clone()) {
            return;
        }
        let Some(file) = &self.file else {
            return;
        };
        let account: &[u8; 32] = operator.as_ref();
        let opened = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        let written = opened.and_then(|mut file| writeln!(file, "{}", hex::encode(account)));
        if let Err(error) = written {
            tracing::error!(%operator, %error, file = %file.display(), "will be asked again after a restart");
        }
    }

    /// How many are avoided at `now`, those proven false included.
    pub fn avoided(&self, now: Instant) -> usize {
        let marks = self.marks.values().filter(|mark| mark.until > now);
        marks.count().saturating_add(self.false_ones.len())
    }

    fn mark(&mut self, operator: &AccountId, now: Instant, time: Duration, failures: u32) {
        if !self.marks.contains_key(operator) && self.marks.len() >= MOST {
            let first = self.marks.iter().min_by_key(|(_, mark)| mark.until);
            if let Some(first) = first.map(|(operator, _)| operator.clone()) {
                self.marks.remove(&first);
            }
        }
        let until = now.checked_add(time).unwrap_or(now);
        self.marks
            .insert(operator.clone(), Mark { until, failures });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: AccountId = AccountId::new([1; 32]);

    // GIVEN an operator that fails again and again
    // WHEN time passes
    // THEN it is avoided for longer each time, up to ten minutes, and forgiven by an answer
    #[test]
    fn failures_are_remembered_for_a_bounded_time() {
        let (mut operators, mut now) = (Operators::default(), Instant::now());
        assert_eq!(operators.rank(&OPERATOR, now), Some(0));
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            operators.failed(&OPERATOR, now);
            assert!(operators.rank(&OPERATOR, now) > Some(0));
            let mut time = Duration::ZERO;
            while operators.rank(&OPERATOR, now + time) != Some(0) {
                time += Duration::from_secs(1);
                assert!(time <= AVOID.1);
            }
            assert!(time >= last);
            last = time;
            now += time;
        }
        assert_eq!(last, AVOID.1);
        operators.failed(&OPERATOR, now);
        operators.answered(&OPERATOR);
        assert_eq!(operators.rank(&OPERATOR, now), Some(0));
    }

    // GIVEN an operator that was proven false
    // WHEN it answers, and much time passes
    // THEN it is never asked again
    #[test]
    fn who_is_false_is_never_asked_again() {
        let (mut operators, now) = (Operators::default(), Instant::now());
        operators.is_false(&OPERATOR);
        operators.answered(&OPERATOR);
        let later = now + Duration::from_secs(1_000_000);
        assert_eq!(operators.rank(&OPERATOR, later), None);
    }

    // GIVEN an operator that was proven false before a restart, and a file with lines that are no accounts
    // WHEN the file is opened again
    // THEN it is still known, nobody else is, and it stands there once
    #[test]
    fn who_is_false_stays_so_over_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("false");
        let mut before = Operators::open(file.clone()).expect("a new file");
        before.is_false(&OPERATOR);
        before.is_false(&OPERATOR);
        std::fs::write(
            &file,
            std::fs::read_to_string(&file).expect("written") + "nonsense\n\n",
        )
        .expect("more lines");
        let after = Operators::open(file.clone()).expect("the file");
        assert_eq!(after.rank(&OPERATOR, Instant::now()), None);
        assert_eq!(after.false_ones().count(), 1);
        let text = std::fs::read_to_string(&file).expect("the file");
        assert_eq!(text.lines().filter(|line| line.len() == 64).count(), 1);
    }

    // GIVEN more failing operators than are remembered
    // WHEN another fails
    // THEN memory stays bounded
    #[test]
    fn memory_is_bounded() {
        let (mut operators, now) = (Operators::default(), Instant::now());
        for number in 0..(MOST as u32 + 50) {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            operators.failed(&AccountId::new(bytes), now);
        }
        assert_eq!(operators.marks.len(), MOST);
    }
}
