//! What the chain itself says, read over the node's RPC: blocks with their transactions, what they cost and did, and
//! what every account holds.

use anyhow::{Context, Result};
use chasqui_chain::{api, Chain, Head};
use std::collections::BTreeMap;
use tokio::runtime::Runtime;

/// A public key.
pub type Account = [u8; 32];

/// One transaction of a block; inherents are none.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Pallet and call, as in `Sessions.settle`.
    pub call: String,
    /// Encoded, as it lies in the block.
    pub bytes: usize,
    /// Picoseconds of computation that the block was charged.
    pub ref_time: u64,
    /// Bytes of proof that the block was charged.
    pub proof_size: u64,
    /// Who paid for it, and how many planck.
    pub fee: Option<(Account, u128)>,
    pub succeeded: bool,
}

/// What happened to sessions and their money.
#[derive(Clone, Debug)]
pub enum Happening {
    Opened {
        session: String,
        deposit: u128,
    },
    Settled {
        session: String,
        operator: Account,
        sum: u128,
        first: u64,
        last: u64,
    },
    /// A case over settled money has closed.
    TakingsClosed {
        operator: Account,
        valid: bool,
        paid: u128,
        refunded: u128,
    },
    /// Settled money was too little for a case of its own, and none was drawn.
    TakingsUnaudited {
        operator: Account,
        paid: u128,
    },
    /// Money was shared out.
    Shared(Shares),
    /// A session is gone.
    Closed {
        session: String,
        spent: u128,
        returned: u128,
        forfeited: u128,
    },
    Claimed {
        operator: Account,
        amount: u128,
    },
    FundPaid(u128),
    ReservePaid(u128),
}

/// How a price was shared out, in planck.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    pub price: u128,
    pub executor: (Account, u128),
    pub auditors: Vec<(Account, u128)>,
    pub pool: u128,
    pub fund: u128,
    pub reserve: u128,
}

/// A block, as far as it is looked at here.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub number: u32,
    pub transactions: Vec<Transaction>,
    pub happenings: Vec<Happening>,
}

/// Reads the finalised chain. Calls block; not for use inside an asynchronous task.
pub struct Reader {
    runtime: Runtime,
    chain: Chain,
}

impl Reader {
    /// Connects to a node.
    pub fn connect(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let chain = runtime.block_on(Chain::connect(url, None))?;
        Ok(Self { runtime, chain })
    }

    /// The hash that every signature binds.
    pub fn genesis(&self) -> [u8; 32] {
        self.chain.genesis().0
    }

    /// The newest finalised block's number.
    pub fn head(&self) -> Result<u32> {
        Ok(self.runtime.block_on(self.chain.head())?.number)
    }

    /// What every account holds at a block, on hold or not, in planck.
    pub fn holdings(&self, block: u32) -> Result<BTreeMap<Account, u128>> {
        self.runtime.block_on(async {
            let head = self.chain.at(block).await?;
            let entry = head.at.storage().entry(api::storage().system().account())?;
            let mut items = entry.iter(()).await?;
            let mut all = BTreeMap::new();
            while let Some(item) = items.next().await {
                let item = item?;
                let account = item.key()?.decode()?.0;
                let data = item.value().decode()?.data;
                all.insert(account.0, data.free + data.reserved);
            }
            Ok(all)
        })
    }

    /// All the planck that there is at a block.
    pub fn issuance(&self, block: u32) -> Result<u128> {
        self.runtime.block_on(async {
            let head = self.chain.at(block).await?;
            let address = api::storage().balances().total_issuance();
            let value = head.at.storage().fetch(address, ()).await?;
            Ok(value.decode()?)
        })
    }

    /// The blocks `from..=to`, which must be there.
    pub fn blocks(&self, from: u32, to: u32) -> Result<Vec<Block>> {
        self.runtime.block_on(async {
            let mut blocks = Vec::new();
            for number in from..=to {
                let head = self.chain.at(number).await?;
                let block = read(&head).await;
                blocks.push(block.with_context(|| format!("reading block {number}"))?);
            }
            Ok(blocks)
        })
    }
}

async fn read(head: &Head) -> Result<Block> {
    use api::{system::events as system, transaction_payment::events as payment};
    let extrinsics = head.at.extrinsics().fetch().await?;
    let mut transactions: BTreeMap<u32, Transaction> = BTreeMap::new();
    for extrinsic in extrinsics.iter() {
        let extrinsic = extrinsic?;
        // Only what was signed is a transaction.
        if extrinsic.address_bytes().is_some() {
            let transaction = Transaction {
                call: format!("{}.{}", extrinsic.pallet_name(), extrinsic.call_name()),
                bytes: extrinsic.bytes().len(),
                ref_time: 0,
                proof_size: 0,
                fee: None,
                succeeded: false,
            };
            transactions.insert(extrinsic.index() as u32, transaction);
        }
    }
    let mut happenings = Vec::new();
    let events = head.at.events().fetch().await?;
    for event in events.iter() {
        let event = event?;
        let transaction = match event.phase() {
            subxt::events::Phase::ApplyExtrinsic(index) => transactions.get_mut(&index),
            _ => None,
        };
        match (event.pallet_name(), event.event_name(), transaction) {
            ("System", name @ ("ExtrinsicSuccess" | "ExtrinsicFailed"), Some(transaction)) => {
                let info = match name {
                    "ExtrinsicSuccess" => {
                        transaction.succeeded = true;
                        let told: system::ExtrinsicSuccess = event.decode_fields_unchecked_as()?;
                        told.dispatch_info
                    }
                    _ => {
                        let told: system::ExtrinsicFailed = event.decode_fields_unchecked_as()?;
                        told.dispatch_info
                    }
                };
                transaction.ref_time = info.weight.ref_time;
                transaction.proof_size = info.weight.proof_size;
            }
            ("TransactionPayment", "TransactionFeePaid", Some(transaction)) => {
                let told: payment::TransactionFeePaid = event.decode_fields_unchecked_as()?;
                transaction.fee = Some((told.who.0, told.actual_fee));
            }
            _ => happenings.extend(happening(&event)?),
        }
    }
    Ok(Block {
        number: head.number,
        transactions: transactions.into_values().collect(),
        happenings,
    })
}

fn happening(event: &subxt::events::Event<'_, subxt::PolkadotConfig>) -> Result<Option<Happening>> {
    use api::{rewards::events as rewards, sessions::events as sessions};
    use chasqui_primitives::audit::Decision;
    Ok(match (event.pallet_name(), event.event_name()) {
        ("Sessions", "Opened") => {
            let told: sessions::Opened = event.decode_fields_unchecked_as()?;
            Some(Happening::Opened {
                session: format!("{:?}", told.session),
                deposit: told.deposit,
            })
        }
        ("Sessions", "Settled") => {
            let told: sessions::Settled = event.decode_fields_unchecked_as()?;
            Some(Happening::Settled {
                session: format!("{:?}", told.session),
                operator: told.operator.0,
                sum: told.sum,
                first: told.first,
                last: told.last,
            })
        }
        ("Sessions", "TakingsClosed") => {
            let told: sessions::TakingsClosed = event.decode_fields_unchecked_as()?;
            Some(Happening::TakingsClosed {
                operator: told.operator.0,
                valid: matches!(told.decision.0, Decision::Valid),
                paid: told.paid,
                refunded: told.refunded,
            })
        }
        ("Sessions", "TakingsUnaudited") => {
            let told: sessions::TakingsUnaudited = event.decode_fields_unchecked_as()?;
            Some(Happening::TakingsUnaudited {
                operator: told.operator.0,
                paid: told.paid,
            })
        }
        ("Sessions", "Closed") => {
            let told: sessions::Closed = event.decode_fields_unchecked_as()?;
            Some(Happening::Closed {
                session: format!("{:?}", told.session),
                spent: told.spent,
                returned: told.returned,
                forfeited: told.forfeited,
            })
        }
        ("Rewards", "FeeRecorded") => {
            let told: rewards::FeeRecorded = event.decode_fields_unchecked_as()?;
            let auditors = told.auditors.0.into_iter();
            Some(Happening::Shared(Shares {
                price: told.price,
                executor: (told.executor.0, told.to_executor),
                auditors: auditors.map(|(who, amount)| (who.0, amount)).collect(),
                pool: told.to_pool,
                fund: told.to_fund,
                reserve: told.to_reserve,
            }))
        }
        ("Rewards", "Claimed") => {
            let told: rewards::Claimed = event.decode_fields_unchecked_as()?;
            Some(Happening::Claimed {
                operator: told.operator.0,
                amount: told.compute + told.audit + told.pool_share,
            })
        }
        ("Rewards", "FundPaid") => {
            let told: rewards::FundPaid = event.decode_fields_unchecked_as()?;
            Some(Happening::FundPaid(told.amount))
        }
        ("Rewards", "ReservePaid") => {
            let told: rewards::ReservePaid = event.decode_fields_unchecked_as()?;
            Some(Happening::ReservePaid(told.amount))
        }
        _ => None,
    })
}
