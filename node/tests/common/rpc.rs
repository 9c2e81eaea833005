//! JSON-RPC over plain sockets: HTTP for calls, WebSocket for subscriptions. A client crate would
//! change the features that the node itself is built with.

use serde_json::{json, Value};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(60);

fn connect(port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    stream
        .set_read_timeout(Some(TIMEOUT))
        .map_err(|error| error.to_string())?;
    Ok(stream)
}

fn request(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

fn result_of(mut answer: Value) -> Result<Value, String> {
    match answer.get("error") {
        Some(error) => Err(error.to_string()),
        None => Ok(answer["result"].take()),
    }
}

/// Reads the head of an HTTP answer; the length of its body, if it names one.
fn read_head(reader: &mut impl BufRead) -> Result<Option<usize>, String> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader
            .read_line(&mut line)
            .map_err(|error| error.to_string())?
            == 0
        {
            return Err("the answer ended in its head".into());
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            return Ok(length);
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
}

/// Calls `method` over HTTP.
pub fn call(port: u16, method: &str, params: Value) -> Result<Value, String> {
    let mut stream = connect(port)?;
    let body = request(method, params);
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    let length = read_head(&mut reader)?.ok_or("an answer without length")?;
    let mut body = vec![0; length];
    reader
        .read_exact(&mut body)
        .map_err(|error| error.to_string())?;
    result_of(serde_json::from_slice(&body).map_err(|error| error.to_string())?)
}

/// A subscription over a WebSocket.
pub struct Subscription {
    reader: BufReader<TcpStream>,
}

impl Subscription {
    /// Calls `method`, which subscribes; `Err` if the node refuses.
    pub fn open(port: u16, method: &str, params: Value) -> Result<Self, String> {
        let mut stream = connect(port)?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .map_err(|error| error.to_string())?;
        let mut reader = BufReader::new(stream.try_clone().map_err(|error| error.to_string())?);
        read_head(&mut reader)?;
        let text = request(method, params);
        stream
            .write_all(&text_frame(text.as_bytes()))
            .map_err(|error| error.to_string())?;
        let mut this = Self { reader };
        result_of(this.message().ok_or("the connection was closed")?)?;
        Ok(this)
    }

    /// The next item.
    pub fn next_item(&mut self) -> Option<Value> {
        Some(self.message()?["params"]["result"].take())
    }

    /// The next text message; `None` at the end.
    fn message(&mut self) -> Option<Value> {
        loop {
            let mut head = [0; 2];
            self.reader.read_exact(&mut head).ok()?;
            let length = match head[1] & 0x7f {
                126 => {
                    let mut length = [0; 2];
                    self.reader.read_exact(&mut length).ok()?;
                    u16::from_be_bytes(length) as usize
                }
                127 => {
                    let mut length = [0; 8];
                    self.reader.read_exact(&mut length).ok()?;
                    u64::from_be_bytes(length) as usize
                }
                short => short as usize,
            };
            let mut payload = vec![0; length];
            self.reader.read_exact(&mut payload).ok()?;
            match head[0] & 0x0f {
                1 => return serde_json::from_slice(&payload).ok(),
                8 => return None,
                _ => continue,
            }
        }
    }
}

/// A client's text frame: masked, as the protocol demands, with a mask that changes nothing.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(long).expect("a short request").to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text);
    frame
}
