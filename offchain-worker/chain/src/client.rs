//! A connection that survives restarts of the node, and transactions that end in a plain yes or no.

use crate::{BlockId, Signer};
use std::{collections::HashMap, sync::Arc, time::Duration};
use subxt::{
    backend::LegacyBackend,
    client::OnlineClientAtBlock,
    config::{substrate::SubstrateHeader, DefaultExtrinsicParamsBuilder},
    rpcs::{
        client::{
            reconnecting_rpc_client::ExponentialBackoff, ReconnectingRpcClient, RpcClient,
            RpcSubscription,
        },
        rpc_params,
    },
    tx::{Payload, TransactionStatus},
    utils::{AccountId32, H256},
    OnlineClient, PolkadotConfig,
};
use tokio::sync::Mutex;

/// The chain at one block.
pub type At = OnlineClientAtBlock<PolkadotConfig>;

/// How many blocks a transaction stays valid.
const MORTALITY_BLOCKS: u64 = 64;
/// How long to wait for a transaction's block.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);
/// A lost connection is tried again after a quarter of a second, then each time after twice as long, up to this.
const RECONNECT_AT_LEAST_EVERY: Duration = Duration::from_secs(4);

/// Why something could not be read or done.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Nobody answers there.
    #[error("node {url} is not reachable: {reason}; is `chasqui-node` running, and is this its RPC address?")]
    Unreachable { url: String, reason: String },
    /// The node serves another chain than the one this configuration names.
    #[error("node {url} is on another chain: its genesis is {found:?}, expected {expected:?}")]
    WrongGenesis {
        url: String,
        expected: H256,
        found: H256,
    },
    /// The node's chain has the same genesis and other blocks: a development node whose data was removed, or a fork.
    #[error(
        "node {url} is on another chain: its block {number} is {found:?}, where {seen:?} was seen before; \
         its data was removed or it follows a fork"
    )]
    OtherHistory {
        url: String,
        number: u32,
        seen: H256,
        found: H256,
    },
    /// The chain refused the transaction: the runtime's own words.
    #[error("{call}: {reason}")]
    Dispatch { call: String, reason: String },
    /// The pool did not take it (no funds for the fee, an outdated nonce, …).
    #[error("{call} was not accepted: {reason}")]
    Rejected { call: String, reason: String },
    /// It did not get into a block in time.
    #[error("{call} was not included within {} s", INCLUSION_TIMEOUT.as_secs())]
    Timeout { call: String },
    /// Any other failure to read.
    #[error("reading the chain: {0}")]
    Read(String),
}

impl ChainError {
    /// Wraps whatever subxt says while reading.
    pub fn read(error: impl std::fmt::Display) -> Self {
        ChainError::Read(error.to_string())
    }
}

/// A block to read at.
#[derive(Clone)]
pub struct Head {
    pub number: u32,
    pub hash: H256,
    pub at: At,
}

/// A transaction that succeeded.
pub struct Included {
    /// The block it is in.
    pub block: H256,
    /// Its own events.
    pub events: subxt::extrinsics::ExtrinsicEvents<PolkadotConfig>,
}

/// The chain behind one RPC address. Cheap to clone.
#[derive(Clone)]
pub struct Chain {
    url: Arc<str>,
    rpc: RpcClient,
    api: OnlineClient<PolkadotConfig>,
    genesis: H256,
    nonces: Arc<Mutex<HashMap<[u8; 32], u64>>>,
}

impl Chain {
    /// Connects, and checks the genesis where one is `expected`. The connection is restored by itself when it breaks.
    pub async fn connect(url: &str, expected: Option<H256>) -> Result<Self, ChainError> {
        let unreachable = |reason: String| ChainError::Unreachable {
            url: url.to_string(),
            reason,
        };
        // The first connection fails at once; later breaks are retried for ever.
        let reconnecting = ReconnectingRpcClient::builder()
            .retry_policy(
                ExponentialBackoff::from_millis(2)
                    .factor(125)
                    .max_delay(RECONNECT_AT_LEAST_EVERY),
            )
            .connection_timeout(Duration::from_secs(10))
            .request_timeout(Duration::from_secs(60))
            .max_response_size(64 * 1024 * 1024)
            .max_request_size(16 * 1024 * 1024);
        let inner =
            tokio::time::timeout(Duration::from_secs(10), reconnecting.build(url.to_string()))
                .await
                .map_err(|_| unreachable("no answer within 10 s".into()))?
                .map_err(|error| unreachable(error.to_string()))?;
        let rpc = RpcClient::new(inner);
        let backend = LegacyBackend::<PolkadotConfig>::builder().build(rpc.clone());
        let api = OnlineClient::from_backend(Arc::new(backend))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let genesis = api.genesis_hash();
        if let Some(expected) = expected.filter(|expected| *expected != genesis) {
            return Err(ChainError::WrongGenesis {
                url: url.to_string(),
                expected,
                found: genesis,
            });
        }
        Ok(Self {
            url: url.into(),
            rpc,
            api,
            genesis,
            nonces: Default::default(),
        })
    }

    /// Connects as [`Chain::connect`] does, trying again until the node answers. `on_wait` hears each failure.
    pub async fn connect_patiently(
        url: &str,
        expected: Option<H256>,
        mut on_wait: impl FnMut(&ChainError),
    ) -> Result<Self, ChainError> {
        loop {
            match Self::connect(url, expected).await {
                Err(error @ ChainError::Unreachable { .. }) => {
                    on_wait(&error);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                other => return other,
            }
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The hash that every signature of the protocol binds.
    pub fn genesis(&self) -> H256 {
        self.genesis
    }

    pub fn api(&self) -> &OnlineClient<PolkadotConfig> {
        &self.api
    }

    /// One JSON-RPC request.
    pub async fn request<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: subxt::rpcs::client::RpcParams,
    ) -> Result<T, ChainError> {
        self.rpc
            .request(method, params)
            .await
            .map_err(ChainError::read)
    }

    /// Subscribes with `method`; dropping what comes back ends it with `unsubscribe`.
    pub async fn subscribe<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: subxt::rpcs::client::RpcParams,
        unsubscribe: &str,
    ) -> Result<subxt::rpcs::client::RpcSubscription<T>, ChainError> {
        self.rpc
            .subscribe(method, params, unsubscribe)
            .await
            .map_err(ChainError::read)
    }

    /// The newest finalised block.
    pub async fn head(&self) -> Result<Head, ChainError> {
        let at = self
            .api
            .at_current_block()
            .await
            .map_err(ChainError::read)?;
        Ok(Head {
            number: at.block_number() as u32,
            hash: at.block_hash(),
            at,
        })
    }

    /// A block by number.
    pub async fn at(&self, number: u32) -> Result<Head, ChainError> {
        let at = self
            .api
            .at_block(u64::from(number))
            .await
            .map_err(ChainError::read)?;
        Ok(Head {
            number,
            hash: at.block_hash(),
            at,
        })
    }

    /// A block that is known by number and hash.
    pub async fn at_block(&self, block: BlockId) -> Result<Head, ChainError> {
        let at = self
            .api
            .at_block_hash_and_number(block.hash, u64::from(block.number))
            .await
            .map_err(ChainError::read)?;
        Ok(Head {
            number: block.number,
            hash: block.hash,
            at,
        })
    }

    /// The number of the best block, finalised or not.
    pub async fn best_number(&self) -> Result<u32, ChainError> {
        let header: SubstrateHeader<H256> = self.request("chain_getHeader", rpc_params![]).await?;
        u32::try_from(header.number).map_err(ChainError::read)
    }

    /// Says whenever a block was finalised, and ends with an error when the connection breaks.
    pub(crate) async fn subscribe_finalised(
        &self,
    ) -> Result<RpcSubscription<serde::de::IgnoredAny>, ChainError> {
        self.rpc
            .subscribe(
                "chain_subscribeFinalizedHeads",
                rpc_params![],
                "chain_unsubscribeFinalizedHeads",
            )
            .await
            .map_err(ChainError::read)
    }

    /// The next block after `last`, waiting for it.
    pub async fn next_head(&self, last: u32) -> Result<Head, ChainError> {
        loop {
            let head = self.head().await?;
            if head.number > last {
                return Ok(head);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until what the node's best block holds now is final, at most for two minutes: what is read is final, so that
    /// whoever has submitted something would look for it in vain. Without a relay chain that is at once.
    pub async fn catch_up(&self) -> Result<(), ChainError> {
        let before = self.best_number().await?.saturating_sub(1);
        let caught_up = tokio::time::timeout(INCLUSION_TIMEOUT, self.next_head(before)).await;
        caught_up.map_or(Ok(()), |head| head.map(|_| ()))
    }

    /// Signs, submits and waits for the block. The nonce counter is ours, so that several transactions of one key can
    /// be under way at once; it follows the node's own count whenever that is ahead or a submission fails.
    pub async fn submit<Call: Payload>(
        &self,
        signer: &Signer,
        call: &Call,
    ) -> Result<Included, ChainError> {
        let name = format!("{}.{}", call.pallet_name(), call.call_name());
        let account = signer.account();
        let (progress, nonce) = {
            let mut nonces = self.nonces.lock().await;
            let next: u64 = self
                .request("system_accountNextIndex", rpc_params![account.to_string()])
                .await?;
            let nonce = nonces.get(&account.0).map_or(next, |own| (*own).max(next));
            let params = DefaultExtrinsicParamsBuilder::<PolkadotConfig>::new()
                .mortal(MORTALITY_BLOCKS)
                .nonce(nonce)
                .build();
            let mut transactions = self.api.tx().await.map_err(ChainError::read)?;
            let submitted = transactions
                .sign_and_submit_then_watch(call, signer.keypair(), params)
                .await;
            match submitted {
                Ok(progress) => {
                    nonces.insert(account.0, nonce.saturating_add(1));
                    (progress, nonce)
                }
                Err(error) => {
                    nonces.remove(&account.0);
                    return Err(ChainError::Rejected {
                        call: name,
                        reason: error.to_string(),
                    });
                }
            }
        };
        let outcome = tokio::time::timeout(INCLUSION_TIMEOUT, Self::settle(&name, progress)).await;
        match outcome {
            Ok(Ok(included)) => Ok(included),
            Ok(Err(error @ ChainError::Dispatch { .. })) => Err(error),
            Ok(Err(error)) => {
                self.forget_nonce(&account, nonce).await;
                Err(error)
            }
            Err(_) => {
                self.forget_nonce(&account, nonce).await;
                Err(ChainError::Timeout { call: name })
            }
        }
    }

    /// Counts nonces from the node's own number again: it may have lost transactions that were counted.
    pub async fn forget_nonces(&self) {
        self.nonces.lock().await.clear();
    }

    async fn forget_nonce(&self, account: &AccountId32, nonce: u64) {
        let mut nonces = self.nonces.lock().await;
        if nonces.get(&account.0).is_some_and(|own| *own > nonce) {
            nonces.remove(&account.0);
        }
    }

    async fn settle(
        name: &str,
        mut progress: subxt::tx::TransactionProgress<
            PolkadotConfig,
            subxt::client::OnlineClientAtBlockImpl<PolkadotConfig>,
        >,
    ) -> Result<Included, ChainError> {
        let rejected = |reason: String| ChainError::Rejected {
            call: name.to_string(),
            reason,
        };
        while let Some(status) = progress.next().await {
            match status.map_err(|error| rejected(error.to_string()))? {
                TransactionStatus::InBestBlock(block)
                | TransactionStatus::InFinalizedBlock(block) => {
                    let events =
                        block
                            .wait_for_success()
                            .await
                            .map_err(|error| ChainError::Dispatch {
                                call: name.to_string(),
                                reason: error.to_string(),
                            })?;
                    return Ok(Included {
                        block: block.block_hash(),
                        events,
                    });
                }
                TransactionStatus::Error { message }
                | TransactionStatus::Invalid { message }
                | TransactionStatus::Dropped { message } => return Err(rejected(message)),
                _ => {}
            }
        }
        Err(rejected(
            "the node closed the connection before it was included".into(),
        ))
    }
}
