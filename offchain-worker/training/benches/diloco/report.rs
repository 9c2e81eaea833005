//! Results as a table.

use std::fmt::Write;

use serde::Serialize;

use crate::lab::Lab;
use crate::MEMBERS;

/// One run.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it was.
    pub name: String,
    /// Steps between two exchanges.
    pub inner_steps: u32,
    /// Exchanges.
    pub rounds: u32,
    /// Held-out loss at the end, nats a token.
    pub loss: f64,
    /// Bytes that each member published.
    pub bytes: u64,
    /// Wall-clock time of the run, all members on this machine.
    pub seconds: f64,
}

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    texts: Vec<String>,
    documents: u64,
    text_bytes: u64,
    training_tokens: u64,
    epochs: f64,
    parameters: usize,
    members: u32,
    steps: u32,
    rate: f64,
    seed: u64,
    seconds: f64,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(lab: &Lab, rows: Vec<Row>, seconds: f64) -> Self {
        Self {
            texts: lab.texts.clone(),
            documents: lab.documents,
            text_bytes: lab.text_bytes,
            training_tokens: lab.tokens,
            epochs: lab.epochs(),
            parameters: lab.parameters,
            members: MEMBERS,
            steps: lab.steps,
            rate: lab.rate,
            seed: lab.seed,
            seconds,
            rows,
        }
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "{} documents (*.md) of {}, {:.1} MB; {:.2} million tokens to train on, {:.2} epochs. {} parameters, {} members, \
             {} steps each, learning rate {}, seed {}; {:.0} s.\n",
            self.documents,
            self.texts.join(" and "),
            self.text_bytes as f64 / 1e6,
            self.training_tokens as f64 / 1e6,
            self.epochs,
            self.parameters,
            self.members,
            self.steps,
            self.rate,
            self.seed,
            self.seconds
        )?;
        writeln!(
            out,
            "| run | exchanges | held-out loss | against data parallel | bytes a member | less traffic | time |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|---|")?;
        let reference = self.rows.first();
        for row in &self.rows {
            let (loss, bytes) = reference.map_or((row.loss, row.bytes), |r| (r.loss, r.bytes));
            let traffic = match row.bytes {
                0 => "none".into(),
                sent => format!("{:.0}x", bytes as f64 / sent as f64),
            };
            let exchanges = if row.bytes == 0 { 0 } else { row.rounds };
            writeln!(
                out,
                "| {} | {exchanges} | {:.4} | {:+.2}% | {} | {traffic} | {:.0} s |",
                row.name,
                row.loss,
                100.0 * (row.loss / loss - 1.0),
                row.bytes,
                row.seconds
            )?;
        }
        writeln!(out)
    }
}
