//! `receipt`: what an executor signed.

use super::options::JsonOption;
use crate::receipt::ReceiptFile;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::PathBuf;

/// Check receipts.
#[derive(Debug, clap::Subcommand)]
pub enum ReceiptCommand {
    /// Check a receipt file offline: the signature, and that what it says is what was signed.
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
                let receipt = ReceiptFile::load(&file)?;
                receipt
                    .verify()
                    .with_context(|| format!("{} is not valid", file.display()))?;
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
