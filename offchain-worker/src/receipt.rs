//! Receipts as files: what an executor signed, checkable by anybody without a node.

use crate::view::{CommitmentView, JobView};
use anyhow::{bail, Context, Result};
use chasqui_chain::{AccountId32, H256};
use chasqui_primitives::{receipt::Receipt, FinishReason};
use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};
use std::{path::Path, str::FromStr};

/// The file's format; anything else is refused.
const FORMAT: &str = "chasqui-receipt/1";

/// A receipt as a JSON file. `scale` is what is signed; everything else repeats it for people and must agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReceiptFile {
    pub format: String,
    /// Genesis hash of the chain it is valid on.
    pub genesis: String,
    pub job: u64,
    pub operator: String,
    /// The hot key that signed.
    pub signer: String,
    pub checkpoint: String,
    pub prompt_hash: String,
    pub prompt_tokens: u32,
    pub output_hash: String,
    pub output_tokens: u32,
    pub trace_root: String,
    pub finish: String,
    /// Planck, as a string: JSON numbers cannot hold it.
    pub price: String,
    /// SCALE encoding of the receipt, hex.
    pub scale: String,
    /// SCALE encoding of the signature (kind and bytes), hex.
    pub signature: String,
}

/// The receipt of a committed job.
pub fn of(
    job: &JobView,
    committed: &CommitmentView,
    operator: AccountId32,
) -> Receipt<AccountId32> {
    Receipt {
        job: job.id,
        operator,
        checkpoint: job.checkpoint,
        prompt_hash: committed.prompt_hash,
        prompt_tokens: committed.prompt_tokens,
        sampling: job.sampling.clone(),
        output_hash: committed.output_hash,
        trace_root: committed.trace_root,
        output_tokens: committed.output_tokens,
        finish: committed.finish,
        price: committed.price,
    }
}

/// Whether `signature` (SCALE-encoded) over `receipt` is `signer`'s.
pub fn is_signed_by(
    receipt: &Receipt<AccountId32>,
    genesis: &H256,
    signature: &[u8],
    signer: &AccountId32,
) -> bool {
    let Ok(signature) = sp_runtime::MultiSignature::decode(&mut &*signature) else {
        return false;
    };
    receipt.verify(genesis, &signature, &sp_runtime::AccountId32::new(signer.0))
}

impl ReceiptFile {
    /// Of a receipt and its signature.
    pub fn new(
        receipt: &Receipt<AccountId32>,
        genesis: &H256,
        signature: &[u8],
        signer: &AccountId32,
    ) -> Self {
        Self {
            format: FORMAT.into(),
            genesis: format!("{genesis:?}"),
            job: receipt.job,
            operator: receipt.operator.to_string(),
            signer: signer.to_string(),
            checkpoint: format!("{:?}", receipt.checkpoint),
            prompt_hash: format!("{:?}", receipt.prompt_hash),
            prompt_tokens: receipt.prompt_tokens,
            output_hash: format!("{:?}", receipt.output_hash),
            output_tokens: receipt.output_tokens,
            trace_root: format!("{:?}", receipt.trace_root),
            finish: finish_name(receipt.finish).into(),
            price: receipt.price.to_string(),
            scale: format!("0x{}", hex::encode(receipt.encode())),
            signature: format!("0x{}", hex::encode(signature)),
        }
    }

    /// From the text of a file, not checked yet: see [`Self::verify`].
    ///
    /// # Errors
    /// Names the field that is missing, unknown or of the wrong kind.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).context(
            "this is no receipt: expected the JSON file that `job submit --receipt` writes",
        )
    }

    /// Writes a file.
    pub fn save(&self, path: &Path) -> Result<()> {
        std::fs::write(path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("writing the receipt {}", path.display()))
    }

    /// Checks the signature, and that what people read is what was signed.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn verify(&self) -> Result<Receipt<AccountId32>> {
        if self.format != FORMAT {
            bail!("field `format`: '{}' is not '{FORMAT}'", self.format);
        }
        let genesis = H256::from_str(&self.genesis).context("field `genesis` is no 0x… hash")?;
        let signer = AccountId32::from_str(&self.signer)
            .map_err(|_| anyhow::anyhow!("field `signer` is no SS58 address"))?;
        let scale = bytes("scale", &self.scale)?;
        let signature = bytes("signature", &self.signature)?;
        let mut input = scale.as_slice();
        let receipt =
            Receipt::<AccountId32>::decode(&mut input).context("field `scale` holds no receipt")?;
        if !input.is_empty() {
            bail!("field `scale` holds more than a receipt");
        }
        let readable = Self::new(&receipt, &genesis, &signature, &signer);
        let (ours, theirs) = (
            serde_json::to_value(&readable)?,
            serde_json::to_value(self)?,
        );
        if let (Some(ours), Some(theirs)) = (ours.as_object(), theirs.as_object()) {
            if let Some((field, _)) = ours
                .iter()
                .find(|(field, value)| theirs.get(*field) != Some(value))
            {
                bail!("field `{field}` is not what was signed");
            }
        }
        if !is_signed_by(&receipt, &genesis, &signature, &signer) {
            bail!(
                "field `signature` is not {}'s over this receipt",
                self.signer
            );
        }
        Ok(receipt)
    }
}

/// A finish reason's name, as JSON output says it.
pub fn finish_name(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Cancelled => "cancelled",
    }
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>> {
    hex::decode(text.trim_start_matches("0x"))
        .with_context(|| format!("field `{field}` is no hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chasqui_chain::Signer;
    use chasqui_primitives::sampling::Sampling;

    fn signed() -> Result<ReceiptFile> {
        let signer = Signer::from_uri("//Alice")?;
        let genesis = H256::repeat_byte(9);
        let receipt = Receipt {
            job: 4,
            operator: Signer::from_uri("//Bob")?.account(),
            checkpoint: H256::repeat_byte(1),
            prompt_hash: H256::repeat_byte(2),
            prompt_tokens: 3,
            sampling: Sampling::greedy(8),
            output_hash: H256::repeat_byte(3),
            trace_root: H256::repeat_byte(4),
            output_tokens: 8,
            finish: FinishReason::Length,
            price: 12_345,
        };
        let signature = signer.sign_hash(&receipt.signing_hash(&genesis).0);
        Ok(ReceiptFile::new(
            &receipt,
            &genesis,
            &signature.encode(),
            &signer.account(),
        ))
    }

    #[test]
    fn a_receipt_survives_its_file_and_verifies() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("receipt.json");
        signed()?.save(&path)?;
        let text = std::fs::read_to_string(&path)?;
        assert_eq!(ReceiptFile::from_json(&text)?.verify()?.job, 4);
        Ok(())
    }

    #[test]
    fn whatever_is_changed_is_noticed() -> Result<()> {
        // GIVEN a signed receipt, WHEN any field is changed, THEN verification names the problem.
        let changes: [fn(&mut ReceiptFile); 7] = [
            |r| r.price = "1".into(),
            |r| r.job = 5,
            |r| r.output_tokens = 9,
            |r| r.genesis = format!("{:?}", H256::repeat_byte(8)),
            |r| r.signer = r.operator.clone(),
            |r| r.scale.push_str("00"),
            |r| r.format = "chasqui-receipt/0".into(),
        ];
        for change in changes {
            let mut file = signed()?;
            change(&mut file);
            assert!(file.verify().is_err(), "{file:?}");
        }
        Ok(())
    }
}
