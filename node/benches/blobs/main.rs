//! How fast a blob comes from other nodes over loopback, beside `curl` of the same bytes from a plain HTTP server: from one,
//! two and four nodes, with one of four lying, and with one dying midway. Everything it made is deleted.

#[path = "../../tests/common/mod.rs"]
mod common;

use common::{
    blobs::{author, bytes, follower, BlobNode},
    rpc::Subscription,
};
use serde_json::{json, Value};
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The blob, and with `--quick`.
const SIZE: usize = 1 << 30;
const QUICK_SIZE: usize = 48 << 20;
/// The bounds on what is handed out are for networks; here the machine is measured.
const UNBOUNDED: [&str; 4] = ["--blob-rate", "64G", "--blob-peer-rate", "64G"];

/// What one of the holders does.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    holders: usize,
    fault: Option<&'static str>,
}

const CASES: [Case; 5] = [
    Case {
        name: "1 node",
        holders: 1,
        fault: None,
    },
    Case {
        name: "2 nodes",
        holders: 2,
        fault: None,
    },
    Case {
        name: "4 nodes",
        holders: 4,
        fault: None,
    },
    Case {
        name: "4 nodes, one lies",
        holders: 4,
        fault: Some("lie"),
    },
    Case {
        name: "4 nodes, one dies midway",
        holders: 4,
        fault: Some("die-after"),
    },
];

/// A folder for all that is made, on the disk that the build is on: temporary folders may lie in memory.
fn folder() -> TempDir {
    let beside = std::env::current_exe().expect("a path");
    let target = beside.parent().expect("a folder");
    tempfile::Builder::new()
        .prefix("chasqui-bench-blobs")
        .tempdir_in(target)
        .expect("a folder")
}

/// A process that ends with this.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(folder: &Path) -> Server {
    let port = common::free_port();
    let child = Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1"])
        .arg(port.to_string())
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 runs");
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Server(child, port);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the HTTP server does not listen");
}

/// Seconds that `curl` takes for the file, and then those that writing it through to the disk takes.
fn curl(server: &Server, name: &str, to: &Path) -> (f64, f64) {
    let began = Instant::now();
    let status = Command::new("curl")
        .args(["-sS", "-o", to.to_str().expect("UTF-8")])
        .arg(format!("http://127.0.0.1:{}/{name}", server.1))
        .status()
        .expect("curl runs");
    assert!(status.success(), "curl failed");
    let came = began.elapsed().as_secs_f64();
    File::open(to)
        .and_then(|file| file.sync_all())
        .expect("it is flushed");
    let flushed = began.elapsed().as_secs_f64();
    fs::remove_file(to).expect("it goes");
    (came, flushed)
}

/// Gives a node the blob without copying it.
fn give(node: &BlobNode, first: &BlobNode, root: &str) {
    for suffix in ["blob", "tree"] {
        let from = first.file(root).with_extension(suffix);
        fs::hard_link(from, node.file(root).with_extension(suffix)).expect("a link");
    }
    node.node.call("blobs_pin", json!([root]));
}

fn finish(fetch: &mut Subscription) -> Value {
    loop {
        // Silent for longer than a node may be.
        let item = fetch.next_item().expect("the node goes on");
        if matches!(item["state"].as_str(), Some("done" | "failed")) {
            return item;
        }
    }
}

fn measure(case: Case, first: &BlobNode, root: &str, chunks: usize, at: &Path) -> (f64, Value) {
    let new = || tempfile::Builder::new().tempdir_in(at).expect("a folder");
    let fault = case.fault.map(|fault| match fault {
        // In the middle of its share.
        "die-after" => format!("die-after:{}", chunks / 8),
        fault => fault.to_string(),
    });
    let mut dirs = Vec::new();
    let mut holders = Vec::new();
    for n in 1..case.holders {
        let dir = new();
        let mut args = UNBOUNDED.to_vec();
        if let Some(fault) = fault.as_deref().filter(|_| n == 1) {
            args.extend(["--blob-fault", fault]);
        }
        let holder = follower(&dir, &[first], &args);
        give(&holder, first, root);
        dirs.push(dir);
        holders.push(holder);
    }
    let dir = new();
    let all: Vec<&BlobNode> = std::iter::once(first).chain(&holders).collect();
    let mut wants = follower(&dir, &all, &UNBOUNDED);
    wants.hears_of(root, case.holders as u64);
    let began = Instant::now();
    let over = finish(&mut wants.begin(root, json!(null)));
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(over["state"], "done", "{over}\n{}", wants.node.log());
    assert!(
        same(&wants.file(root), &first.file(root)),
        "other bytes came"
    );
    (seconds, over["peers"].clone())
}

fn same(a: &Path, b: &Path) -> bool {
    let (mut a, mut b) = (
        File::open(a).expect("a blob"),
        File::open(b).expect("a blob"),
    );
    let (mut one, mut other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let got = a.read(&mut one).expect("it is read");
        if got == 0 {
            return b.read(&mut other).expect("it is read") == 0;
        }
        if b.read_exact(&mut other[..got]).is_err() || one[..got] != other[..got] {
            return false;
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(
            arguments
                .get(at + 1)
                .unwrap_or_else(|| panic!("{name} wants a value"))
                .clone(),
        )
    };
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let size = if quick { QUICK_SIZE } else { SIZE };
    let chunks = size >> 20;
    let mib = chunks as f64;

    let folder = folder();
    let at = folder.path();
    let dir = tempfile::Builder::new().tempdir_in(at).expect("a folder");
    let first = author(&dir, &UNBOUNDED);
    let inbox = first.dir.join("inbox/given");
    let mut file = File::create(&inbox).expect("a file");
    for n in 0..chunks {
        file.write_all(&bytes(1 << 20, n as u64))
            .expect("room on the disk");
    }
    file.sync_all().expect("it is flushed");
    drop(file);
    let view = first.node.call("blobs_put", json!(["given"]));
    let root = view["root"].as_str().expect("a root").to_string();

    let server = serve(&first.dir);
    let file = first.file(&root);
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    let mut plain: Vec<(f64, f64)> = (0..3)
        .map(|_| curl(&server, name, &at.join("out")))
        .collect();
    plain.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (came, flushed) = plain[1];
    drop(server);
    let line = |name: &str, seconds: f64, peers: &str| {
        println!(
            "{name:<26} {seconds:>8.2} s {:>8.1} MiB/s {:>7.2} x curl's time {peers}",
            mib / seconds,
            seconds / came
        );
    };
    println!("a blob of {chunks} MiB over loopback");
    line("curl, plain HTTP", came, "");
    line("curl, and flushed", flushed, "");
    let mut cases = Vec::new();
    for case in CASES {
        let (seconds, peers) = measure(case, &first, &root, chunks, at);
        line(case.name, seconds, &format!("({peers} gave)"));
        cases.push(json!({
            "case": case.name,
            "seconds": seconds,
            "mib_per_second": mib / seconds,
            "times_curl": seconds / came,
            "times_curl_flushed": seconds / flushed,
            "gave": peers,
        }));
    }
    if let Some(path) = value("--json") {
        let report = json!({
            "command": value("--command"),
            "revision": value("--revision"),
            "mib": chunks,
            "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
            "curl_seconds": came,
            "curl_flushed_seconds": flushed,
            "cases": cases,
        });
        let text = serde_json::to_string_pretty(&report).expect("it serialises");
        fs::write(&path, text + "\n").unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}
