//! The registries as a command line sees them: operators, checkpoints, balances; register and look up.

use crate::{
    blobs::exchange::Holder,
    view::{bounded, fetch},
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, Head, Included, Signer, Static, H256};
use chasqui_primitives::{
    training::RunTerms, Balance, CheckpointRoot, EpochIndex, NumericProfile, Roles, RunId,
};
use serde_json::{json, Value};
use std::path::Path;

type Call = api::runtime_types::chasqui_runtime::RuntimeCall;
type OperatorsCall = api::runtime_types::pallet_operators::pallet::Call;
type BalancesCall = api::runtime_types::pallet_balances::pallet::Call;
type Endpoint = api::runtime_types::pallet_operators::types::Endpoint;
type DispatchError = api::runtime_types::sp_runtime::DispatchError;
type CheckpointStatus = api::runtime_types::pallet_checkpoints::types::Status;

/// What an operator registers with.
#[derive(Clone, Debug)]
pub struct Registration {
    pub bond: Balance,
    pub hot_key: AccountId32,
    /// What the hot key needs for fees: sent to it where it holds less.
    pub hot_key_funds: Balance,
    pub roles: Roles,
    pub capacity: u32,
    pub url: String,
    pub tls_key: [u8; 32],
    pub checkpoints: Vec<CheckpointRoot>,
}

/// Bonds, names the hot key, funds it, and serves the checkpoints: one transaction, all or nothing.
pub async fn register(chain: &Chain, signer: &Signer, with: &Registration) -> Result<()> {
    let head = chain.head().await?;
    let mut calls = vec![Call::Operators(OperatorsCall::register {
        bond: with.bond,
        hot_key: with.hot_key,
        roles: Static(with.roles),
        capacity: with.capacity,
        endpoint: Endpoint {
            url: bounded("the endpoint's URL", with.url.as_bytes(), 128)?,
            tls_key: with.tls_key,
        },
        owner: None,
    })];
    calls.extend(
        with.checkpoints
            .iter()
            .map(|root| Call::Operators(OperatorsCall::serve { checkpoint: *root })),
    );
    let (free, _) = balance(&head, &with.hot_key).await?;
    if free < with.hot_key_funds && with.hot_key != signer.account() {
        calls.push(Call::Balances(BalancesCall::transfer_keep_alive {
            dest: with.hot_key.into(),
            value: with.hot_key_funds.saturating_sub(free),
        }));
    }
    chain
        .submit(signer, &api::tx().utility().batch_all(calls))
        .await?;
    Ok(())
}

/// Where an operator is reached; `None` when it is not registered.
pub async fn endpoint(head: &Head, operator: &AccountId32) -> Result<Option<Holder>> {
    let operators = api::storage().operators().operators();
    let Some(record) = fetch!(head, operators, (*operator,)) else {
        return Ok(None);
    };
    let url = String::from_utf8(record.endpoint.url.0)
        .with_context(|| format!("the endpoint of {operator} is no text"))?;
    Ok(Some(Holder {
        url,
        tls_key: record.endpoint.tls_key,
    }))
}

/// Where blobs of what `root` names may be had: the endpoints of up to `most` operators who declare to serve it, without
/// `except`.
pub async fn holders(
    head: &Head,
    root: &H256,
    except: &AccountId32,
    most: usize,
) -> Result<Vec<Holder>> {
    let servers = api::storage().operators().servers();
    let mut serving = head.at.storage().entry(servers)?.iter((*root,)).await?;
    let mut holders = Vec::new();
    while let Some(item) = serving.next().await {
        let (_, operator) = item?.key()?.decode()?;
        if operator == *except {
            continue;
        }
        // One whose endpoint is no text can be reached by nobody.
        if let Ok(Some(holder)) = endpoint(head, &operator).await {
            holders.push(holder);
        }
        if holders.len() >= most {
            break;
        }
    }
    Ok(holders)
}

/// The public half of an endpoint's Ed25519 key; the file with the secret seed is made if it is not there.
pub fn tls_key(file: &Path) -> Result<[u8; 32]> {
    use sp_core::{ed25519, Pair};
    Ok(ed25519::Pair::from_seed(&tls_seed(file)?).public().0)
}

/// The secret seed of an endpoint's Ed25519 key; the file is made if it is not there.
pub fn tls_seed(file: &Path) -> Result<[u8; 32]> {
    Ok(match std::fs::read_to_string(file) {
        Ok(text) => {
            let bytes = hex::decode(text.trim().trim_start_matches("0x"))
                .with_context(|| format!("{} holds no hexadecimal seed", file.display()))?;
            <[u8; 32]>::try_from(bytes)
                .map_err(|_| anyhow::anyhow!("{} holds no seed of 32 bytes", file.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut seed = [0u8; 32];
            getrandom::getrandom(&mut seed)
                .map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("creating {}", folder.display()))?;
            }
            write_secret(file, &hex::encode(seed))?;
            seed
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    })
}

fn write_secret(file: &Path, text: &str) -> Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("writing {}", file.display()))?;
    out.write_all(text.as_bytes())
        .with_context(|| format!("writing {}", file.display()))
}

/// Free balance and balance on hold, in planck.
pub async fn balance(head: &Head, account: &AccountId32) -> Result<(Balance, Balance)> {
    let info = fetch!(head, api::storage().system().account(), (*account,));
    Ok(info
        .map(|info| (info.data.free, info.data.reserved))
        .unwrap_or_default())
}

/// What an account has bonded as an operator, in planck.
pub async fn bond(head: &Head, account: &AccountId32) -> Result<Balance> {
    use api::runtime_types::{
        chasqui_runtime::RuntimeHoldReason, pallet_operators::pallet::HoldReason,
    };
    let holds = fetch!(head, api::storage().balances().holds(), (*account,));
    let bonded = holds
        .into_iter()
        .flat_map(|holds| holds.0)
        .find(|hold| matches!(hold.id, RuntimeHoldReason::Operators(HoldReason::Bond)));
    Ok(bonded.map(|hold| hold.amount).unwrap_or_default())
}

/// The current epoch.
pub async fn epoch(head: &Head) -> Result<EpochIndex> {
    let epoch = fetch!(head, api::storage().operators().current_epoch(), ());
    Ok(epoch.map(|epoch| epoch.index).unwrap_or_default())
}

/// What became of all audit cases so far.
pub async fn audit_totals(head: &Head) -> Result<Value> {
    let Some(totals) = fetch!(head, api::storage().audits().totals(), ()) else {
        return Ok(Value::Null);
    };
    Ok(json!({
        "cases": totals.cases,
        "valid": totals.valid,
        "soft": totals.soft,
        "caught": totals.caught,
        "undecided": totals.undecided,
        "stageTwo": totals.stage_two,
        "openingsDemanded": totals.openings_demanded,
        "openingsPosted": totals.openings_posted,
        "overturned": totals.overturned,
        "abstained": totals.abstained,
    }))
}

/// One operator; `None` where there is none.
pub async fn operator_json(head: &Head, account: &AccountId32) -> Result<Option<Value>> {
    use api::runtime_types::pallet_operators::types::Status;
    let Some(operator) = fetch!(head, api::storage().operators().operators(), (*account,)) else {
        return Ok(None);
    };
    let (free, _) = balance(head, account).await?;
    let bond = bond(head, account).await?;
    let unclaimed = fetch!(head, api::storage().rewards().unclaimed(), (*account,));
    let roles = operator.roles.0;
    let names = [(roles.compute, "compute"), (roles.validate, "validate")];
    let status = match operator.status {
        Status::Active => "active".to_string(),
        Status::Jailed { until } => format!("jailed until epoch {until}"),
        Status::Unbonding { until } => format!("unbonding until block {until}"),
    };
    let roots: Vec<String> = operator
        .checkpoints
        .0
        .iter()
        .map(|r| format!("{r:?}"))
        .collect();
    Ok(Some(json!({
        "account": account.to_string(),
        "owner": operator.owner.to_string(),
        "hotKey": operator.hot_key.to_string(),
        "status": status,
        "roles": names.iter().filter(|(has, _)| *has).map(|(_, n)| *n).collect::<Vec<_>>().join(","),
        "bond": bond.to_string(),
        "free": free.to_string(),
        "capacity": operator.capacity,
        "reputation": operator.reputation,
        "unclaimed": unclaimed.unwrap_or_default().to_string(),
        "url": String::from_utf8_lossy(&operator.endpoint.url.0),
        "checkpoints": roots,
        "openMatters": operator.liabilities,
    })))
}

/// All operators.
pub async fn operators_json(head: &Head) -> Result<Vec<Value>> {
    let entry = head
        .at
        .storage()
        .entry(api::storage().operators().operators())?;
    let mut items = entry.iter(()).await?;
    let mut accounts: Vec<AccountId32> = Vec::new();
    while let Some(item) = items.next().await {
        accounts.push(item?.key()?.decode()?.0);
    }
    let mut all = Vec::new();
    for account in accounts {
        all.extend(operator_json(head, &account).await?);
    }
    Ok(all)
}

/// Epochs that an operator earned something in, oldest first, up to the newest that can be claimed by now.
pub async fn claimable_epochs(head: &Head, operator: &AccountId32) -> Result<Vec<EpochIndex>> {
    let Some(newest) = epoch(head).await?.checked_sub(2) else {
        return Ok(Vec::new());
    };
    let entry = head
        .at
        .storage()
        .entry(api::storage().rewards().open_epochs())?;
    let mut items = entry.iter((*operator,)).await?;
    let mut epochs: Vec<EpochIndex> = Vec::new();
    while let Some(item) = items.next().await {
        epochs.push(item?.key()?.decode()?.1);
    }
    epochs.retain(|epoch| *epoch <= newest);
    epochs.sort_unstable();
    Ok(epochs)
}

/// A checkpoint to propose.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub root: CheckpointRoot,
    pub name: String,
    pub licence: String,
    pub profile: NumericProfile,
    pub vocabulary: u32,
    pub context_tokens: u32,
    pub end_tokens: Vec<u32>,
    /// Whether its files hold a tokenizer.
    pub has_tokenizer: bool,
    pub units_per_prompt_token: u32,
    pub units_per_output_token: u32,
    pub size_bytes: u64,
}

/// How a registered checkpoint is computed.
pub async fn profile(head: &Head, root: &CheckpointRoot) -> Result<NumericProfile> {
    let checkpoint = fetch!(head, api::storage().checkpoints().registry(), (*root,));
    Ok(checkpoint
        .with_context(|| format!("checkpoint {root:?} is not registered on this chain"))?
        .info
        .profile
        .0)
}

/// Proposes a checkpoint; the deposit goes on hold.
pub async fn propose(chain: &Chain, signer: &Signer, proposal: &Proposal) -> Result<()> {
    let info = api::runtime_types::pallet_checkpoints::types::CheckpointInfo {
        name: bounded("the name", proposal.name.as_bytes(), 64)?,
        parent: None,
        base: None,
        profile: Static(proposal.profile),
        vocabulary: proposal.vocabulary,
        context_tokens: proposal.context_tokens,
        end_tokens: bounded("the list of end tokens", &proposal.end_tokens, 8)?,
        has_tokenizer: proposal.has_tokenizer,
        units_per_prompt_token: proposal.units_per_prompt_token,
        units_per_output_token: proposal.units_per_output_token,
        size_bytes: proposal.size_bytes,
        licence: bounded("the licence's name", proposal.licence.as_bytes(), 32)?,
    };
    chain
        .submit(
            signer,
            &api::tx().checkpoints().propose(proposal.root, info),
        )
        .await?;
    Ok(())
}

/// Accepts a checkpoint with the root key.
pub async fn accept_as_root(chain: &Chain, signer: &Signer, root: H256) -> Result<()> {
    let call =
        Call::Checkpoints(api::runtime_types::pallet_checkpoints::pallet::Call::accept { root });
    as_root(chain, signer, call).await.map(drop)
}

/// Creates a training run with the root key, and returns its number.
pub async fn create_run_as_root(chain: &Chain, signer: &Signer, terms: &RunTerms) -> Result<RunId> {
    let terms = Box::new(Static(*terms));
    let call =
        Call::Training(api::runtime_types::pallet_training::pallet::Call::create_run { terms });
    let included = as_root(chain, signer, call).await?;
    let event = included
        .events
        .find_first::<api::training::events::Created>()
        .context("the run was created, but no event names it")??;
    Ok(event.run)
}

async fn as_root(chain: &Chain, signer: &Signer, call: Call) -> Result<Included> {
    let sudo = api::tx().sudo().sudo(call);
    let included = chain.submit(signer, &sudo).await?;
    let event = included
        .events
        .find_first::<api::sudo::events::Sudid>()
        .context("the root call was included, but tells no result")??;
    match event.sudo_result {
        Ok(()) => Ok(included),
        Err(error) => bail!(
            "root's call failed: {}",
            in_words(&chain.head().await?, &error)
        ),
    }
}

/// A failure by the chain's own name for it, `Pallet::Error`, where it is a pallet's.
fn in_words(head: &Head, error: &DispatchError) -> String {
    let DispatchError::Module(module) = error else {
        return format!("{error:?}");
    };
    let metadata = head.at.metadata();
    let pallet = metadata.pallet_by_error_index(module.index);
    let named = pallet.and_then(|pallet| {
        let [index, ..] = module.error;
        let variant = pallet.error_variant_by_index(index)?;
        Some(format!("{}::{}", pallet.name(), variant.name))
    });
    named.unwrap_or_else(|| format!("{error:?}"))
}

/// All checkpoints.
pub async fn checkpoints_json(head: &Head) -> Result<Vec<Value>> {
    let price: Balance = fetch!(head, api::storage().economy().price(), ()).unwrap_or_default();
    let entry = head
        .at
        .storage()
        .entry(api::storage().checkpoints().registry())?;
    let mut items = entry.iter(()).await?;
    let mut all = Vec::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let root = item.key()?.decode()?.0;
        let checkpoint = item.value().decode()?;
        let (status, unit_price) = match checkpoint.status {
            CheckpointStatus::Calibrating => ("calibrating", None),
            CheckpointStatus::Stalled => ("stalled", None),
            CheckpointStatus::Calibrated => ("calibrated", None),
            CheckpointStatus::Accepted => ("accepted", Some(price)),
            CheckpointStatus::Retired => ("retired", None),
        };
        all.push(json!({
            "root": format!("{root:?}"),
            "name": String::from_utf8_lossy(&checkpoint.info.name.0),
            "status": status,
            "unitPrice": unit_price.map(|price| price.to_string()),
            "unitsPerPromptToken": checkpoint.info.units_per_prompt_token,
            "unitsPerOutputToken": checkpoint.info.units_per_output_token,
            "contextTokens": checkpoint.info.context_tokens,
            "vocabulary": checkpoint.info.vocabulary,
            "hasTokenizer": checkpoint.info.has_tokenizer,
            "sizeBytes": checkpoint.info.size_bytes,
            "licence": String::from_utf8_lossy(&checkpoint.info.licence.0),
            "thresholds": checkpoint.thresholds.map(|thresholds| thresholds.0),
        }));
    }
    Ok(all)
}
