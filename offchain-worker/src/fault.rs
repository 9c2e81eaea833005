//! Faults for tests: what a cheating executor would do. Chosen by `run --test-fault`; never on by default, and every
//! start with one says so in the log.

use chasqui_training::diloco::Cheat;
use std::{path::PathBuf, str::FromStr};

/// One way to cheat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers with another (smaller) model from this folder, and signs the one that was asked for.
    OtherModel(PathBuf),
    /// Changes one token in the middle of the output.
    EditToken,
    /// Stops after a third of the output, and claims that it ended.
    Truncate,
    /// Commits to a true output and serves no trace.
    Withhold,
    /// Opens nothing to auditors who ask for session answers, and shows on chain what is demanded there.
    RefuseAuditors,
    /// Ends the process after computing and before committing, once.
    CrashBeforeCommit,
    /// Ends the process after committing a verdict and before revealing it, once.
    CrashBeforeReveal,
    /// Flags every result as false, whatever the replay says.
    FalseAlarm,
    /// Trains as a cheat would.
    Train(Cheat),
    /// Hands none of its training blobs to validators.
    TrainWithhold,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("other-model", folder)) if !folder.is_empty() => {
                Ok(Fault::OtherModel(folder.into()))
            }
            None => match text {
                "edit-token" => Ok(Fault::EditToken),
                "truncate" => Ok(Fault::Truncate),
                "withhold" => Ok(Fault::Withhold),
                "refuse-auditors" => Ok(Fault::RefuseAuditors),
                "crash-before-commit" => Ok(Fault::CrashBeforeCommit),
                "crash-before-reveal" => Ok(Fault::CrashBeforeReveal),
                "false-alarm" => Ok(Fault::FalseAlarm),
                "train-random" => Ok(Fault::Train(Cheat::RandomWeights)),
                "train-earlier" => Ok(Fault::Train(Cheat::EarlierWeights)),
                "train-other-data" => Ok(Fault::Train(Cheat::OtherData)),
                "train-half" => Ok(Fault::Train(Cheat::HalfSteps)),
                "train-scaled" => Ok(Fault::Train(Cheat::ScaledGradient)),
                "train-withhold" => Ok(Fault::TrainWithhold),
                _ => Err(Self::expected(text)),
            },
            _ => Err(Self::expected(text)),
        }
    }
}

impl Fault {
    fn expected(text: &str) -> String {
        format!(
            "'{text}' is no fault: expected other-model:DIR, edit-token, truncate, withhold, \
             refuse-auditors, crash-before-commit, crash-before-reveal, false-alarm, train-random, train-earlier, \
             train-other-data, train-half, train-scaled or train-withhold"
        )
    }
}
