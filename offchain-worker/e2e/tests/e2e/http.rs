//! As much of HTTP as an OpenAI client needs: one request, one answer, whole or as it comes.

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Longest silence of a gateway.
const SILENCE: Duration = Duration::from_secs(150);

/// An answer whose body is still to be read. HTTP/1.0: it ends with the connection.
pub struct Answer {
    pub status: u16,
    body: BufReader<TcpStream>,
}

/// Asks for a completion at `base_url`.
pub fn complete(base_url: &str, body: &Value) -> Result<Answer> {
    let address = base_url
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/v1"))
        .with_context(|| format!("no address: {base_url}"))?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    let body = body.to_string();
    write!(
        stream,
        "POST /v1/completions HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut body = BufReader::new(stream);
    let mut head = String::new();
    body.read_line(&mut head)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("no status: {head}"))?;
    loop {
        let mut line = String::new();
        body.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(Answer { status, body });
        }
    }
}

/// The text of a page of the gateway.
pub fn page(base_url: &str, path: &str) -> Result<String> {
    let address = base_url
        .trim_start_matches("http://")
        .trim_end_matches("/v1");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The first event of the live page about the chain.
pub fn chain(base_url: &str) -> Result<Value> {
    let address = base_url
        .trim_start_matches("http://")
        .trim_end_matches("/v1");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    write!(stream, "GET /events HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next().transpose()? {
        if line == "event: chain" {
            let data = lines.next().transpose()?.unwrap_or_default();
            let data = data.strip_prefix("data: ").context("no data")?;
            return Ok(serde_json::from_str(data)?);
        }
    }
    bail!("the live page tells nothing of the chain")
}

/// A counter or gauge on the gateway's page of metrics; 0 where it is not there.
pub fn metric(base_url: &str, name: &str) -> Result<f64> {
    let page = page(base_url, "/metrics")?;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0.0))
}

impl Answer {
    /// The whole body as JSON.
    pub fn json(mut self) -> Result<Value> {
        let mut text = String::new();
        self.body.read_to_string(&mut text)?;
        serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
    }

    /// The next event of a stream; `None` at its end, with or without `[DONE]`.
    pub fn event(&mut self) -> Result<Option<Value>> {
        loop {
            let mut line = String::new();
            if self.body.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            match line.trim().strip_prefix("data: ") {
                Some("[DONE]") => return Ok(Some(json!("done"))),
                Some(event) => {
                    let event = serde_json::from_str(event);
                    return Ok(Some(event.with_context(|| format!("no JSON: {line}"))?));
                }
                None => {}
            }
        }
    }

    /// All events up to the end.
    pub fn events(mut self) -> Result<Vec<Value>> {
        ensure!(self.status == 200, "status {}", self.status);
        let mut events = Vec::new();
        while let Some(event) = self.event()? {
            events.push(event);
        }
        Ok(events)
    }
}

/// A completion of `max_tokens` tokens that does not end before.
pub fn question(model: &str, seed: u64, max_tokens: u32) -> Value {
    json!({
        "model": model, "prompt": "Once upon a time", "max_tokens": max_tokens, "seed": seed,
        "temperature": 0.8, "ignore_eos": true,
    })
}

/// The account of the one choice of an answer, or of a stream's events.
pub fn account(events: &[Value]) -> Result<Value> {
    let told = events.iter().rev().find_map(|event| event.get("chasqui"));
    match told.and_then(|told| told["choices"].get(0)) {
        Some(choice) => Ok(choice.clone()),
        None => bail!("no account: {events:?}"),
    }
}
