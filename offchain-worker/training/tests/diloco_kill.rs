//! `kill -9` at any moment loses at most a segment, never a bit.

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chasqui_training::diloco::{FolderBlobs, Inner, Member};
use common::{dataset, inner, plan, recipe, start, RUN, SPARSE};

const FOLDER: &str = "CHASQUI_TEST_STATE_FOLDER";
const ROUNDS: u32 = 4;

fn open(dir: &Path, inner: &Inner) -> Member<FolderBlobs> {
    let blobs = FolderBlobs::open(dir.join("blobs")).unwrap();
    Member::open(&dir.join("state"), RUN, blobs, inner, || Ok(start(inner))).unwrap()
}

/// Goes through all rounds that are left.
fn go_on(dir: &Path) {
    let data = dataset(dir);
    let recipe = recipe(SPARSE);
    let mut inner = inner(&recipe, 1);
    let mut member = open(dir, &inner);
    while member.settled().round < ROUNDS {
        let round = member.settled().round;
        member.begin(plan(&recipe, round, 1, 0)).unwrap();
        let report = member
            .train(&mut inner, &data, |_| ControlFlow::Continue(()))
            .unwrap();
        member
            .finish(round, &[report.gradient], true, &inner)
            .unwrap();
        member.prune(round).unwrap();
    }
}

// The child process of the test below; as a test of its own it does nothing.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        go_on(Path::new(&dir));
    }
}

// GIVEN a member in a process of its own
// WHEN the process is killed again and again, at moments that differ, and started anew each time
// THEN it ends with the same model, moments and residual as one that was never disturbed
#[cfg(unix)]
#[test]
fn a_killed_member_ends_with_the_same_bits() {
    let (calm, rough) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let began = Instant::now();
    go_on(calm.path());
    let whole = began.elapsed();
    dataset(rough.path());
    let mut kills = 0u32;
    let deadline = Instant::now() + Duration::from_secs(240);
    loop {
        assert!(Instant::now() < deadline, "no end after {kills} kills");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact"])
            .env(FOLDER, rough.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Between a twentieth and a sixth of the undisturbed run, so that three fall into it on any machine; longer ones
        // later, so that it comes to an end.
        let percent = (5 + kills * 7 % 11) * (1 + kills / 8);
        std::thread::sleep(whole * percent / 100);
        match child.try_wait().unwrap() {
            Some(status) => {
                assert!(status.success());
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
        }
    }
    assert!(kills >= 3, "only {kills} kills");
    let inner = inner(&recipe(SPARSE), 1);
    let (calm, rough) = (open(calm.path(), &inner), open(rough.path(), &inner));
    assert_eq!(rough.settled(), calm.settled());
    assert_eq!(rough.model(&inner).unwrap(), calm.model(&inner).unwrap());
}
