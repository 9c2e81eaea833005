//! `receipt`: what an executor signed.

use super::{
    failure::Failure,
    options::{read_text, JsonOption},
    EXIT_NOT_VALID,
};
use crate::receipt::ReceiptFile;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

/// Longest file that is read, in bytes; a receipt has about one and a half thousand.
const MAX_RECEIPT_BYTES: u64 = 64 << 10;

/// Check receipts.
#[derive(Debug, clap::Subcommand)]
pub enum ReceiptCommand {
    /// Check a receipt file offline: the signature, and that what it says is what was signed.
    ///
    /// Exit status 0: valid; 3: not valid, and `reason` in the JSON says why; 1: the file cannot be read. That the
    /// signer was the operator's hot key is on chain, in the job's record.
    Verify {
        /// A receipt, as `job submit --receipt FILE` or `job watch --receipt FILE` wrote it.
        file: PathBuf,
        #[command(flatten)]
        json: JsonOption,
    },
}

impl ReceiptCommand {
    pub fn run(self) -> Result<()> {
        match self {
            Self::Verify { file, json } => {
                let text = read_text("the receipt", &file, MAX_RECEIPT_BYTES)?;
                let checked = ReceiptFile::from_json(&text).and_then(|receipt| {
                    receipt.verify()?;
                    Ok(receipt)
                });
                let receipt = checked.map_err(|reason| {
                    let reason = format!("{reason:#}");
                    Failure::new(format!("{} is not valid: {reason}", file.display()))
                        .with(json!({ "valid": false, "reason": reason }))
                        .status(EXIT_NOT_VALID)
                })?;
                json.print(&json!({ "valid": true, "receipt": receipt }), || {
                    println!("valid: {} signed job {}", receipt.signer, receipt.job);
                    println!("  chain       {}", receipt.genesis);
                    println!("  operator    {}", receipt.operator);
                    println!("  checkpoint  {}", receipt.checkpoint);
                    println!(
                        "  prompt      {} tokens, {}",
                        receipt.prompt_tokens, receipt.prompt_hash
                    );
                    println!(
                        "  output      {} tokens ({}), {}",
                        receipt.output_tokens, receipt.finish, receipt.output_hash
                    );
                    println!("  price       {} planck", receipt.price);
                });
                Ok(())
            }
        }
    }
}
