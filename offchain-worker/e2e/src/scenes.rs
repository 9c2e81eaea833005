//! The acts of the demo, which the tests share: open a market, sell a completion, catch a cheat, pay out.

use crate::{
    interrupt,
    network::{Network, Operator},
};
use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Root of the development chain: endows the others and accepts the checkpoint.
pub const ROOT_KEY: &str = "//Alice";
/// The paying client.
pub const CLIENT_KEY: &str = "//Alice//client";
/// Price of a unit of compute on a development chain, in DOT, until operators vote for another.
pub const UNIT_PRICE: &str = "0.0001";
/// Planck of a DOT.
pub const DOT: u128 = 10_000_000_000;

/// The operators of an honest network: two that compute, three that validate.
pub fn honest_operators() -> Vec<Operator> {
    vec![
        Operator::new("bob", "//Bob", "compute"),
        Operator::new("charlie", "//Charlie", "compute"),
        Operator::new("dave", "//Dave", "validate"),
        Operator::new("eve", "//Eve", "validate"),
        Operator::new("ferdie", "//Ferdie", "validate"),
    ]
}

/// The repository.
pub fn root() -> Result<PathBuf> {
    let root = match std::env::var_os("CHASQUI_ROOT") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."),
    };
    root.canonicalize()
        .with_context(|| format!("no repository in {}", root.display()))
}

/// A shipped model, by folder name.
pub fn model(name: &str) -> Result<PathBuf> {
    let folder = root()?.join("offchain-worker/models").join(name);
    ensure!(
        folder.join("config.json").is_file(),
        "no model in {}",
        folder.display()
    );
    Ok(folder)
}

/// What the network tells while it is set up.
pub type Tell<'a> = &'a mut dyn FnMut(&str);

impl Network {
    /// Registers and starts `operators`, proposes the shipped checkpoint, waits for its calibration by the validators,
    /// and accepts it. Returns its root.
    pub fn open_market(&mut self, operators: &[Operator], tell: Tell) -> Result<String> {
        self.open_market_with(&model("chasqui-tales")?, operators, tell)
    }

    /// As [`Network::open_market`], with the model in `folder`.
    pub fn open_market_with(
        &mut self,
        folder: &Path,
        operators: &[Operator],
        tell: Tell,
    ) -> Result<String> {
        self.fund(CLIENT_KEY, "1000")?;
        let blobs = self.blobs().display().to_string();
        let proposed = self.call(&[
            "checkpoint",
            "register",
            "--key",
            ROOT_KEY,
            "--model",
            &folder.display().to_string(),
            "--blob-dir",
            &blobs,
        ])?;
        let root = text(&proposed, "checkpoint")?;
        tell(&format!("checkpoint {root} proposed"));
        for operator in operators {
            self.register(operator, &root, 100, "1000")?;
            self.start_worker(operator, &[])?;
            tell(&format!(
                "{} registered as {} and working",
                operator.name, operator.roles
            ));
        }
        self.wait_until(
            "the checkpoint is calibrated",
            Duration::from_secs(300),
            |network| Ok(network.checkpoint(&root)?["status"] == "calibrated"),
        )?;
        tell("validators have calibrated the checkpoint");
        self.call(&[
            "checkpoint",
            "accept",
            "--key",
            ROOT_KEY,
            "--checkpoint",
            &root,
        ])?;
        tell(&format!(
            "accepted; a unit of compute costs {UNIT_PRICE} DOT"
        ));
        Ok(root)
    }

    /// Bonds an operator for a checkpoint.
    pub fn register(
        &self,
        operator: &Operator,
        root: &str,
        capacity: u32,
        bond: &str,
    ) -> Result<Value> {
        self.register_for(operator, &[root], capacity, bond)
    }

    /// Bonds an operator for any number of checkpoints.
    pub fn register_for(
        &self,
        operator: &Operator,
        roots: &[&str],
        capacity: u32,
        bond: &str,
    ) -> Result<Value> {
        let tls = self.tls_key_file(operator);
        let url = format!("https://127.0.0.1:{}", self.endpoint_port(operator)?);
        let bonded = self.key_file(&operator.name, "key", &operator.key)?;
        let hot = self.key_file(&operator.name, "hot", &operator.hot_key())?;
        let capacity = capacity.to_string();
        let mut arguments = vec![
            "operator",
            "register",
            "--key-file",
            &bonded,
            "--hot-key-file",
            &hot,
            "--roles",
            &operator.roles,
            "--capacity",
            &capacity,
            "--bond",
            bond,
            "--url",
            &url,
            "--tls-key-file",
            &tls,
        ];
        for root in roots {
            arguments.extend(["--checkpoint", root]);
        }
        self.call(&arguments)
    }

    /// A file with a secret URI, as `--key-file` reads it; its path.
    pub fn key_file(&self, name: &str, extension: &str, key: &str) -> Result<String> {
        let path = self.folder().join(format!("{name}.{extension}"));
        std::fs::write(&path, format!("{key}\n"))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path.display().to_string())
    }

    /// Sends DOT from the root account.
    pub fn fund(&self, key: &str, amount: &str) -> Result<()> {
        self.transfer(ROOT_KEY, key, amount)
    }

    /// Sends DOT from one key's account to another's.
    pub fn transfer(&self, from: &str, to: &str, amount: &str) -> Result<()> {
        self.send(from, &self.address(to)?, amount)
    }

    /// Sends DOT from a key's account to an address.
    pub fn send(&self, from: &str, address: &str, amount: &str) -> Result<()> {
        self.call(&[
            "account", "transfer", "--key", from, "--to", address, "--amount", amount,
        ])?;
        Ok(())
    }

    /// SS58 address of a secret URI.
    pub fn address(&self, key: &str) -> Result<String> {
        text(
            &self.worker(&["account", "address", "--key", key, "--json"])?,
            "address",
        )
    }

    /// Public key of a secret URI, `0x…`, as events name accounts.
    pub fn public_key(&self, key: &str) -> Result<String> {
        text(
            &self.worker(&["account", "address", "--key", key, "--json"])?,
            "publicKey",
        )
    }

    /// What people call an operator of this network.
    pub fn name_of(&self, address: &str) -> Result<String> {
        for worker in &self.workers {
            if self.address(&worker.operator.key)? == address {
                return Ok(worker.operator.name.clone());
            }
        }
        Ok(address.to_string())
    }

    /// Free and held planck of an account.
    pub fn balance(&self, address: &str) -> Result<(u128, u128)> {
        let value = self.call(&["account", "balance", address])?;
        Ok((planck(&value["free"])?, planck(&value["held"])?))
    }

    /// An operator's record.
    pub fn operator(&self, operator: &Operator) -> Result<Value> {
        let address = self.address(&operator.key)?;
        self.call(&["operator", "status", "--account", &address])
    }

    /// A checkpoint's record.
    pub fn checkpoint(&self, root: &str) -> Result<Value> {
        let all = self.call(&["checkpoint", "list"])?;
        all.as_array()
            .and_then(|all| all.iter().find(|c| c["root"] == root).cloned())
            .with_context(|| format!("checkpoint {root} is not registered"))
    }

    /// Submits a job and follows it until it is closed; the report, whatever the outcome.
    pub fn job(&self, root: &str, prompt: &str, extra: &[&str]) -> Result<Value> {
        self.job_with(root, &[&["--prompt", prompt], extra].concat())
    }

    /// As [`Network::job`], with the prompt among the arguments.
    pub fn job_with(&self, root: &str, extra: &[&str]) -> Result<Value> {
        let blobs = self.blobs().display().to_string();
        let url = self.url();
        let timeout = self.patient(Duration::from_secs(150)).as_secs().to_string();
        let mut arguments = vec![
            "job",
            "submit",
            "--key",
            CLIENT_KEY,
            "--checkpoint",
            root,
            "--wait",
            "--blob-dir",
            &blobs,
            "--timeout",
            &timeout,
            "--node",
            &url,
            "--json",
        ];
        arguments.extend(extra);
        let (_, out, err) = self.worker_raw(&arguments)?;
        report_of(&out, &err)
    }

    /// Submits a job without waiting; its number.
    pub fn submit(&self, root: &str, prompt: &str, extra: &[&str]) -> Result<u64> {
        let mut arguments = vec![
            "job",
            "submit",
            "--key",
            CLIENT_KEY,
            "--checkpoint",
            root,
            "--prompt",
            prompt,
        ];
        arguments.extend(extra);
        self.call(&arguments)?["job"]
            .as_u64()
            .context("job submit tells no number")
    }

    /// Follows a job until it is closed; the report, whatever the outcome.
    pub fn watch(&self, job: u64, timeout: u64) -> Result<Value> {
        let blobs = self.blobs().display().to_string();
        let (job, timeout, url) = (job.to_string(), timeout.to_string(), self.url());
        let (_, out, err) = self.worker_raw(&[
            "job",
            "watch",
            &job,
            "--blob-dir",
            &blobs,
            "--timeout",
            &timeout,
            "--node",
            &url,
            "--json",
        ])?;
        report_of(&out, &err)
    }

    /// Asks again and again until `done`.
    pub fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&Network) -> Result<bool>,
    ) -> Result<()> {
        let start = Instant::now();
        let limit = self.patient(limit);
        loop {
            if done(self)? {
                return Ok(());
            }
            if start.elapsed() > limit {
                bail!("not within {limit:?}: {what}\n{}", self.logs(15));
            }
            interrupt::pause(Duration::from_millis(500))?;
        }
    }

    /// The current epoch.
    pub fn epoch(&self) -> Result<u64> {
        self.call(&["status"])?["epoch"]
            .as_u64()
            .context("status has no epoch")
    }

    /// Waits until `epochs` more have begun: frozen weights then know whoever registered before.
    pub fn pass_epochs(&self, epochs: u64) -> Result<()> {
        let target = self.epoch()? + epochs;
        self.wait_until("the next epoch", Duration::from_secs(180), |n| {
            Ok(n.epoch()? >= target)
        })
    }
}

/// A closed job's report, as `job submit --wait` and `job watch` print it with `--json`.
fn report_of(out: &str, err: &str) -> Result<Value> {
    let report: Value = serde_json::from_str(out.trim())
        .with_context(|| format!("no report was printed:\n{err}\n{out}"))?;
    ensure!(
        report["outcome"].is_string(),
        "the job did not close: {report}"
    );
    Ok(report)
}

/// One payment of a settled job, as the chain booked it.
pub fn payouts(report: &Value) -> Result<Value> {
    let fee = events(report, "Rewards", "FeeRecorded")
        .into_iter()
        .find(|fee| fee["subject"]["Job"] == report["job"])
        .context("no fee was booked for the job")?;
    ensure!(
        same_planck(&fee["price"], &report["paid"]),
        "{} planck were paid and {} booked",
        report["paid"],
        fee["price"]
    );
    let part = |name: &str| planck(&fee[name]);
    Ok(json!({
        "price": part("price")?.to_string(),
        "executor": part("to_executor")?.to_string(),
        "auditors": part("to_auditors")?.to_string(),
        "pocPool": part("to_pool")?.to_string(),
        "trainingFund": part("to_fund")?.to_string(),
        "reserve": part("to_reserve")?.to_string(),
    }))
}

/// Whether a settled job's payments match the shares to the planck: 60/15/20/5, the 60 halved with `auditors` auditors
/// where there are any, remainders to the reserve.
pub fn check_payouts(payouts: &Value, auditors: u128) -> Result<()> {
    let part = |name: &str| planck(&payouts[name]);
    let price = part("price")?;
    let share = |percent: u128| price * percent / 100;
    let (executor, audit) = match auditors {
        0 => (share(60), 0),
        n => {
            let half = share(60) / 2;
            (half, (share(60) - half) / n * n)
        }
    };
    let (pool, fund) = (share(15), share(20));
    let expected = [
        ("executor", executor),
        ("auditors", audit),
        ("pocPool", pool),
        ("trainingFund", fund),
        ("reserve", price - executor - audit - pool - fund),
    ];
    for (name, amount) in expected {
        ensure!(
            part(name)? == amount,
            "{name} got {} planck, expected {amount}: {payouts}",
            part(name)?
        );
    }
    Ok(())
}

/// Transaction fees that an account paid during a job, in planck.
pub fn fees(report: &Value, public_key: &str) -> Result<u128> {
    events(report, "TransactionPayment", "TransactionFeePaid")
        .iter()
        .filter(|fee| fee["who"] == public_key)
        .map(|fee| planck(&fee["actual_fee"]))
        .sum()
}

/// Fields of all events of that name in a job's report.
pub fn events(report: &Value, pallet: &str, event: &str) -> Vec<Value> {
    report["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|e| e["pallet"] == pallet && e["event"] == event)
        .map(|e| e["fields"].clone())
        .collect()
}

/// An amount that JSON holds as a number or as a string.
pub fn planck(value: &Value) -> Result<u128> {
    match value {
        Value::Number(number) => number.as_u64().map(u128::from),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .with_context(|| format!("no amount: {value}"))
}

/// Planck as DOT.
pub fn dot(planck: u128) -> String {
    let (whole, fraction) = (planck / DOT, planck % DOT);
    format!("{whole}.{fraction:010}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_string()
}

fn same_planck(a: &Value, b: &Value) -> bool {
    matches!((planck(a), planck(b)), (Ok(a), Ok(b)) if a == b)
}

/// A field that is text.
pub fn text(value: &Value, field: &str) -> Result<String> {
    value[field]
        .as_str()
        .map(str::to_string)
        .with_context(|| format!("no {field} in {value}"))
}
