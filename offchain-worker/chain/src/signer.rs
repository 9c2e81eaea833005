//! Keys: a secret URI (`//Alice`, a phrase, `0x…` seed, each with derivations) or a file that holds one.

use chasqui_primitives::{hash::tag, CaseId};
use parity_scale_codec::Encode;
use std::{path::Path, str::FromStr};
use subxt::utils::{AccountId32, MultiSignature, H256};
use subxt_signer::{sr25519, SecretUri};

/// A key could not be read.
#[derive(Debug)]
pub enum KeyError {
    /// The file is not there or not readable.
    File(std::path::PathBuf, std::io::Error),
    /// Not a phrase, a `0x` seed or a `//derivation`.
    Uri(String),
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KeyError::File(path, error) => write!(f, "key file {}: {error}", path.display()),
            KeyError::Uri(what) => write!(
                f,
                "key: {what}; expected a 12 to 24 word phrase, a 0x seed or a derivation such as //Alice"
            ),
        }
    }
}

impl std::error::Error for KeyError {}

/// An sr25519 key that signs transactions and receipts.
#[derive(Clone)]
pub struct Signer {
    keypair: sr25519::Keypair,
    salt_secret: [u8; 32],
}

impl Signer {
    /// From a secret URI.
    pub fn from_uri(uri: &str) -> Result<Self, KeyError> {
        let parsed =
            SecretUri::from_str(uri.trim()).map_err(|error| KeyError::Uri(error.to_string()))?;
        let keypair = sr25519::Keypair::from_uri(&parsed)
            .map_err(|error| KeyError::Uri(error.to_string()))?;
        let salt_secret =
            sp_crypto_hashing::blake2_256(&(b"chasqui/salt-secret/1", uri.trim()).encode());
        Ok(Self {
            keypair,
            salt_secret,
        })
    }

    /// From a file with a secret URI in its first line.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| KeyError::File(path.to_path_buf(), error))?;
        Self::from_uri(text.lines().next().unwrap_or_default())
    }

    /// The account this key signs for.
    pub fn account(&self) -> AccountId32 {
        self.keypair.public_key().to_account_id()
    }

    /// The key as subxt wants it.
    pub fn keypair(&self) -> &sr25519::Keypair {
        &self.keypair
    }

    /// Signs 32 bytes (a receipt's signing hash).
    pub fn sign_hash(&self, hash: &[u8; 32]) -> MultiSignature {
        MultiSignature::Sr25519(self.sign_sr25519(hash))
    }

    /// The bare signature of 32 bytes.
    pub fn sign_sr25519(&self, hash: &[u8; 32]) -> [u8; 64] {
        self.keypair.sign(hash).0
    }

    /// The salt of a verdict's commitment: follows from the key and the round of the case, so that a restarted worker
    /// can reveal, and a salt that became public says nothing about the next round's.
    pub fn verdict_salt(&self, genesis: &H256, case: CaseId, stage: u8, round: u32) -> [u8; 32] {
        sp_crypto_hashing::blake2_256(
            &(
                tag::VERDICT,
                b"salt",
                self.salt_secret,
                genesis.0,
                case,
                stage,
                round,
            )
                .encode(),
        )
    }
}
