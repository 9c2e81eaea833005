//! Who got what: balances before and after, explained to the planck by what the chain says happened in between.

use crate::{
    blocks::{Account, Block, Happening, Reader, Shares},
    scenes::{check_payouts, dot},
};
use anyhow::{ensure, Result};
use serde_json::{json, Value};
use std::collections::BTreeMap;

/// Somebody with one account or several.
#[derive(Clone, Debug)]
pub struct Party {
    pub name: String,
    pub accounts: Vec<Account>,
}

/// The account of one of the runtime's pots.
pub fn pot(id: &[u8; 8]) -> Account {
    let mut account = [0; 32];
    account[..4].copy_from_slice(b"modl");
    account[4..12].copy_from_slice(id);
    account
}

/// Where settled money of sessions waits for its case.
const SESSIONS: &[u8; 8] = b"ch/sessn";
/// Where shared-out money waits to be claimed.
const REWARDS: &[u8; 8] = b"ch/rewrd";
/// The training fund.
const FUND: &[u8; 8] = b"ch/trfnd";
/// The reserve.
const RESERVE: &[u8; 8] = b"ch/resrv";

/// Blocks since a beginning, and the balances at it.
pub struct Ledger<'a> {
    reader: &'a Reader,
    begin: u32,
    last: u32,
    blocks: Vec<Block>,
}

impl<'a> Ledger<'a> {
    /// Begins after the newest block.
    pub fn open(reader: &'a Reader) -> Result<Self> {
        let begin = reader.head()?;
        Ok(Self {
            reader,
            begin,
            last: begin,
            blocks: Vec::new(),
        })
    }

    /// Reads what was finalised since.
    pub fn catch_up(&mut self) -> Result<&[Block]> {
        let head = self.reader.head()?;
        if head > self.last {
            self.blocks.extend(self.reader.blocks(self.last + 1, head)?);
            self.last = head;
        }
        Ok(&self.blocks)
    }

    /// What happened so far.
    pub fn happenings(&self) -> impl Iterator<Item = &Happening> {
        self.blocks.iter().flat_map(|block| &block.happenings)
    }

    fn sum(&self, of: impl Fn(&Happening) -> Option<u128>) -> u128 {
        self.happenings().filter_map(of).sum()
    }

    /// Planck that operators have settled.
    pub fn settled(&self) -> u128 {
        self.sum(|one| match one {
            Happening::Settled { sum, .. } => Some(*sum),
            _ => None,
        })
    }

    /// Planck that was shared out after its case.
    pub fn shared(&self) -> u128 {
        self.sum(|one| match one {
            Happening::Shared(shares) => Some(shares.price),
            _ => None,
        })
    }

    /// Planck that went back to clients because a case was not closed as valid.
    pub fn refunded(&self) -> u128 {
        self.sum(|one| match one {
            Happening::TakingsClosed { refunded, .. } => Some(*refunded),
            _ => None,
        })
    }

    /// Planck that auditors found honestly earned, and planck that no case was drawn for.
    pub fn audited(&self) -> (u128, u128) {
        let valid = self.sum(|one| match one {
            Happening::TakingsClosed {
                valid: true, paid, ..
            } => Some(*paid),
            _ => None,
        });
        let unaudited = self.sum(|one| match one {
            Happening::TakingsUnaudited { paid, .. } => Some(*paid),
            _ => None,
        });
        (valid, unaudited)
    }

    /// Sessions that ended, and what their clients lost for having spent too little.
    pub fn closed(&self) -> (usize, u128) {
        let ended = self
            .happenings()
            .filter(|one| matches!(one, Happening::Closed { .. }));
        let forfeited = self.sum(|one| match one {
            Happening::Closed { forfeited, .. } => Some(*forfeited),
            _ => None,
        });
        (ended.count(), forfeited)
    }

    fn shares(&self) -> impl Iterator<Item = &Shares> {
        self.happenings().filter_map(|one| match one {
            Happening::Shared(shares) => Some(shares),
            _ => None,
        })
    }

    /// The table of who got what. Every balance that moved must be explained, and no planck may be missing.
    ///
    /// `spent` are the prices of all answers that the client has receipts for.
    pub fn table(&self, client: &Party, operators: &[Party], spent: u128) -> Result<Table> {
        for shares in self.shares() {
            check_shares(shares)?;
        }
        ensure!(
            self.settled() == spent,
            "receipts say {spent} planck, settlements {}",
            self.settled()
        );
        ensure!(
            self.shared() == spent,
            "{spent} planck were settled, {} shared out",
            self.shared()
        );
        let (_, forfeited) = self.closed();
        let changes = self.changes()?;
        let mut known: Vec<Account> = Vec::new();
        let mut of = |party: &Party| -> i128 {
            known.extend(&party.accounts);
            let moved = party.accounts.iter().filter_map(|one| changes.get(one));
            moved.sum()
        };
        let mut rows = vec![Row {
            name: client.name.clone(),
            role: "client".into(),
            earned: None,
            claimed: None,
            fees: self.fees(client),
            change: of(client),
            explained: -signed(spent + forfeited + self.fees(client)),
        }];
        for operator in operators {
            let claimed = self.claimed(operator);
            rows.push(Row {
                name: operator.name.clone(),
                role: self.role(operator),
                earned: Some(self.earned(operator)),
                claimed: Some(claimed),
                fees: self.fees(operator),
                change: of(operator),
                explained: signed(claimed) - signed(self.fees(operator)),
            });
        }
        let shared = |part: fn(&Shares) -> u128| -> u128 { self.shares().map(part).sum() };
        let to_fund = self.sum(|one| match one {
            Happening::FundPaid(amount) => Some(*amount),
            _ => None,
        });
        let to_reserve = self.sum(|one| match one {
            Happening::ReservePaid(amount) => Some(*amount),
            _ => None,
        });
        let all_claimed = self.sum(|one| match one {
            Happening::Claimed { amount, .. } => Some(*amount),
            _ => None,
        });
        let mut place = |name: &str, id: &[u8; 8], earned: Option<u128>, explained: i128| {
            let account = Party {
                name: name.into(),
                accounts: vec![pot(id)],
            };
            Row {
                name: name.into(),
                role: String::new(),
                earned,
                claimed: None,
                fees: 0,
                change: of(&account),
                explained,
            }
        };
        rows.push(place(
            "training fund",
            FUND,
            Some(shared(|s| s.fund)),
            signed(to_fund),
        ));
        rows.push(place(
            "reserve",
            RESERVE,
            Some(shared(|s| s.reserve)),
            signed(to_reserve + forfeited),
        ));
        rows.push(place(
            "waiting to be claimed",
            REWARDS,
            None,
            signed(self.shared()) - signed(all_claimed + to_fund + to_reserve),
        ));
        rows.push(place("waiting for a case", SESSIONS, None, 0));
        let others: i128 = changes
            .iter()
            .filter(|(account, _)| !known.contains(account))
            .map(|(_, change)| *change)
            .sum();
        rows.push(Row {
            name: "block authors".into(),
            role: "transaction fees".into(),
            earned: None,
            claimed: None,
            fees: 0,
            change: others,
            explained: signed(self.all_fees()),
        });
        for row in &rows {
            ensure!(
                row.change == row.explained,
                "{}: the balance moved by {} planck, what happened explains {}",
                row.name,
                row.change,
                row.explained
            );
        }
        let minted =
            signed(self.reader.issuance(self.last)?) - signed(self.reader.issuance(self.begin)?);
        let sum: i128 = rows.iter().map(|row| row.change).sum();
        ensure!(
            sum == 0 && minted == 0,
            "planck appeared or vanished: accounts {sum}, issuance {minted}"
        );
        Ok(Table {
            rows,
            pool: shared(|s| s.pool),
            price: spent,
            forfeited,
        })
    }

    fn changes(&self) -> Result<BTreeMap<Account, i128>> {
        let mut changes = BTreeMap::new();
        for (account, held) in self.reader.holdings(self.last)? {
            *changes.entry(account).or_default() += signed(held);
        }
        for (account, held) in self.reader.holdings(self.begin)? {
            *changes.entry(account).or_default() -= signed(held);
        }
        Ok(changes)
    }

    fn all_fees(&self) -> u128 {
        self.paid_fees(|_| true)
    }

    fn fees(&self, party: &Party) -> u128 {
        self.paid_fees(|who| party.accounts.contains(who))
    }

    fn paid_fees(&self, by: impl Fn(&Account) -> bool) -> u128 {
        let transactions = self.blocks.iter().flat_map(|block| &block.transactions);
        let fees = transactions.filter_map(|transaction| transaction.fee.as_ref());
        fees.filter(|(who, _)| by(who)).map(|(_, fee)| *fee).sum()
    }

    fn earned(&self, party: &Party) -> u128 {
        let mut earned = 0;
        for shares in self.shares() {
            let parts = std::iter::once(&shares.executor).chain(&shares.auditors);
            let own = parts.filter(|(who, _)| party.accounts.contains(who));
            earned += own.map(|(_, amount)| *amount).sum::<u128>();
        }
        earned
    }

    fn claimed(&self, party: &Party) -> u128 {
        self.sum(|one| match one {
            Happening::Claimed { operator, amount } if party.accounts.contains(operator) => {
                Some(*amount)
            }
            _ => None,
        })
    }

    fn role(&self, party: &Party) -> String {
        let is = |who: &Account| party.accounts.contains(who);
        let executes = self.shares().any(|shares| is(&shares.executor.0));
        let audits = self
            .shares()
            .any(|shares| shares.auditors.iter().any(|(who, _)| is(who)));
        match (executes, audits) {
            (true, false) => "executor",
            (false, true) => "auditor",
            (true, true) => "executor, auditor",
            (false, false) => "not drawn",
        }
        .into()
    }
}

fn signed(planck: u128) -> i128 {
    i128::try_from(planck).unwrap_or(i128::MAX)
}

fn check_shares(shares: &Shares) -> Result<()> {
    let auditors: u128 = shares.auditors.iter().map(|(_, amount)| *amount).sum();
    let payouts = json!({
        "price": shares.price.to_string(),
        "executor": shares.executor.1.to_string(),
        "auditors": auditors.to_string(),
        "pocPool": shares.pool.to_string(),
        "trainingFund": shares.fund.to_string(),
        "reserve": shares.reserve.to_string(),
    });
    check_payouts(&payouts, shares.auditors.len() as u128)
}

/// A line of the table. Amounts are in planck.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub role: String,
    /// Its part of what was shared out.
    pub earned: Option<u128>,
    pub claimed: Option<u128>,
    /// Transaction fees that it paid.
    pub fees: u128,
    /// What its accounts hold more than before.
    pub change: i128,
    explained: i128,
}

/// Who got what.
#[derive(Clone, Debug)]
pub struct Table {
    pub rows: Vec<Row>,
    /// What all validators share by their points.
    pub pool: u128,
    /// What all answers cost.
    pub price: u128,
    /// What the client lost for having spent too little of its deposits.
    pub forfeited: u128,
}

impl Table {
    /// Line by line, in DOT.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<22} {:<17} {:>13} {:>13} {:>13} {:>14}",
            "who", "as", "earned, DOT", "claimed, DOT", "fees, DOT", "balance, DOT"
        )];
        let amount = |planck: Option<u128>| planck.map(dot).unwrap_or_default();
        for row in &self.rows {
            let change = match row.change {
                0 => "0".to_string(),
                change if change < 0 => format!("-{}", dot(change.unsigned_abs())),
                change => format!("+{}", dot(change.unsigned_abs())),
            };
            lines.push(format!(
                "{:<22} {:<17} {:>13} {:>13} {:>13} {change:>14}",
                row.name,
                row.role,
                amount(row.earned),
                amount(row.claimed),
                amount(Some(row.fees).filter(|fees| *fees > 0)),
            ));
        }
        lines.push(format!(
            "{:<22} {:<17} {:>13}",
            "all validators",
            "by points",
            dot(self.pool)
        ));
        lines
    }

    /// As JSON, in planck.
    pub fn json(&self) -> Value {
        let text = |planck: Option<u128>| planck.map(|planck| planck.to_string());
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "who": row.name,
                    "as": row.role,
                    "earned": text(row.earned),
                    "claimed": text(row.claimed),
                    "fees": row.fees.to_string(),
                    "balance": row.change.to_string(),
                })
            })
            .collect();
        json!({
            "price": self.price.to_string(),
            "pool": self.pool.to_string(),
            "forfeited": self.forfeited.to_string(),
            "rows": rows,
        })
    }
}
