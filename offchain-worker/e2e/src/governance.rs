//! What governance does on a real network: polls from submission to effect, a price vote, a grant.

use crate::{
    scenes::{text, CLIENT_KEY, ROOT_KEY},
    Network, Operator,
};
use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use std::time::Duration;

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// Hash of what a grant is for, and of what shows that it was done.
pub const PAPER: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

impl Network {
    /// Waits until the newest census knows work of the epoch that runs now.
    pub fn await_census(&self) -> Result<()> {
        // Closed, then taken, a few operators a block.
        self.pass_epochs(2)
    }

    /// Submits a referendum; its number. `what` is a proposal of `gov propose`.
    pub fn propose(&self, what: &[&str]) -> Result<u64> {
        let command = [&["gov", "propose"], what, &["--key", ROOT_KEY]].concat();
        self.call(&command)?["poll"]
            .as_u64()
            .context("a referendum without a number")
    }

    /// Has all of `operators` vote that weigh anything in a poll; how many did. The poll may be decided before the last has.
    pub fn vote(&self, poll: u64, operators: &[Operator], aye: bool) -> Result<usize> {
        let poll = poll.to_string();
        let how = if aye { "--aye" } else { "--nay" };
        let mut voted = 0;
        for operator in operators {
            let address = self.address(&operator.key)?;
            let shown = self.call(&["gov", "show", &poll, "--operator", &address])?;
            if shown["weight"].as_u64().unwrap_or(0) == 0 {
                continue;
            }
            match self.call(&["gov", "vote", &poll, how, "--key", &operator.key]) {
                Ok(_) => voted += 1,
                Err(_) if self.is_decided(&poll)? => break,
                Err(error) => return Err(error),
            }
        }
        Ok(voted)
    }

    fn is_decided(&self, poll: &str) -> Result<bool> {
        Ok(self.call(&["gov", "show", poll])?["endedAt"].is_u64())
    }

    /// How a referendum ends: `approved`, `rejected`, …
    pub fn await_poll(&self, poll: u64) -> Result<String> {
        let number = poll.to_string();
        let what = format!("referendum {poll} is decided");
        self.wait_until(&what, SECONDS(240), |network| network.is_decided(&number))?;
        text(&self.call(&["gov", "show", &number])?, "status")
    }

    /// Proposes, has everybody vote for it, and waits until it is approved.
    pub fn decide(&self, what: &[&str], operators: &[Operator]) -> Result<u64> {
        let poll = self.propose(what)?;
        let voted = self.vote(poll, operators, true)?;
        ensure!(voted > 0, "nobody weighs anything in referendum {poll}");
        match self.await_poll(poll)?.as_str() {
            "approved" => Ok(poll),
            other => bail!("referendum {poll} is {other}: {what:?}"),
        }
    }

    /// The price of a unit, in planck.
    pub fn unit_price(&self) -> Result<u128> {
        crate::scenes::planck(&self.call(&["price", "show"])?["unitPrice"])
    }

    /// Has `operators` vote for a price of a unit, in DOT, and waits until it is `planck`.
    pub fn vote_price(&self, operators: &[Operator], price: &str, planck: u128) -> Result<()> {
        for operator in operators {
            self.call(&["price", "vote", "--price", price, "--key", &operator.key])?;
        }
        let what = format!("a unit costs {price} DOT");
        self.wait_until(&what, SECONDS(120), |network| {
            Ok(network.unit_price()? == planck)
        })
    }

    /// A grant of one milestone to the client: made, proven, approved. What it changed in its beneficiary's balance is the
    /// amount less the fee of the proof, so the event tells it: the amount paid.
    pub fn grant_to_client(&self, amount: &str, operators: &[Operator]) -> Result<Vec<u64>> {
        let client = self.address(CLIENT_KEY)?;
        let deadline = (self.block()? + 2_000).to_string();
        let made = self.decide(
            &[
                "grant",
                "--to",
                &client,
                "--amount",
                amount,
                "--description",
                PAPER,
                "--deadline",
                &deadline,
            ],
            operators,
        )?;
        // It takes effect a few blocks later; then the client says that it is done.
        let prove: [&str; 8] = [
            "gov",
            "prove",
            "--grant",
            "0",
            "--evidence",
            PAPER,
            "--key",
            CLIENT_KEY,
        ];
        self.wait_until("the grant is made", SECONDS(60), |network| {
            Ok(network.call(&prove).is_ok())
        })?;
        let paid = self.decide(&["approve-milestone", "--grant", "0"], operators)?;
        Ok(vec![made, paid])
    }

    /// What a command says of a poll.
    pub fn poll(&self, poll: u64) -> Result<Value> {
        self.call(&["gov", "show", &poll.to_string()])
    }
}
