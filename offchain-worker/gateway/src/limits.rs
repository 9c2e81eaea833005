//! How much the gateway takes from clients and how long it waits.

use std::time::Duration;

/// Limits of one gateway. Every field has a default that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body in bytes.
    pub body_bytes: usize,
    /// Most messages of a chat.
    pub messages: usize,
    /// Most prompts of a completion request, and of them times `n`.
    pub choices: usize,
    /// Most texts of an embedding request.
    pub inputs: usize,
    /// Most output tokens of one choice; what the client leaves open ends here too.
    pub max_tokens: u32,
    /// Most requests under way at once, of all keys.
    pub running: usize,
    /// Most requests that wait for their turn, of all keys.
    pub queued: usize,
    /// Most requests of one key that wait for their turn.
    pub queued_per_key: usize,
    /// Longest that a request waits for its turn.
    pub queue_wait: Duration,
    /// Longest wait for a first token before the next upstream is asked.
    pub first_token: Duration,
    /// Longest wait for each token after the first.
    pub next_token: Duration,
    /// A stream's status line waits this long for the first token, so that an error before it has
    /// its own status; then the stream begins with comments.
    pub status_wait: Duration,
    /// Pause after which a stream carries a comment, so that proxies keep it open.
    pub keep_alive: Duration,
    /// Longest that a client may leave its answer unread.
    pub client_stall: Duration,
    /// Longest wait for the account of a generation that was cancelled.
    pub settle: Duration,
    /// Longest time in which a client sends its request's head, and again its body.
    pub request_read: Duration,
    /// Most connections.
    pub connections: usize,
    /// Most viewers of the live page.
    pub viewers: usize,
    /// What is under way when the gateway is told to stop may take this long to end.
    pub stop_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 4 << 20,
            messages: 1_024,
            choices: 16,
            inputs: 2_048,
            max_tokens: 4_096,
            running: 64,
            queued: 256,
            queued_per_key: 32,
            queue_wait: Duration::from_secs(60),
            first_token: Duration::from_secs(120),
            next_token: Duration::from_secs(60),
            status_wait: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            client_stall: Duration::from_secs(60),
            settle: Duration::from_secs(30),
            request_read: Duration::from_secs(30),
            connections: 1_024,
            viewers: 64,
            stop_grace: Duration::from_secs(10),
        }
    }
}

/// A limit that would serve nobody.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the limit `{field}` is {given}; give {least} to {most}")]
pub struct LimitError {
    field: &'static str,
    given: u64,
    least: u64,
    most: u64,
}

impl Limits {
    /// Checks that every limit lets something through and nothing without bound.
    ///
    /// # Errors
    /// Names the limit and its range.
    pub fn check(&self) -> Result<(), LimitError> {
        const DAY: u64 = 86_400;
        let seconds = |time: Duration| time.as_secs_f64().ceil() as u64;
        for (field, given, most) in [
            ("body_bytes", self.body_bytes as u64, 256 << 20),
            ("messages", self.messages as u64, 1_024),
            ("choices", self.choices as u64, 128),
            ("inputs", self.inputs as u64, 2_048),
            ("max_tokens", u64::from(self.max_tokens), 1 << 24),
            ("running", self.running as u64, 65_536),
            ("queued", self.queued as u64, 65_536),
            ("queued_per_key", self.queued_per_key as u64, 65_536),
            ("queue_wait", seconds(self.queue_wait), DAY),
            ("first_token", seconds(self.first_token), DAY),
            ("next_token", seconds(self.next_token), DAY),
            ("status_wait", seconds(self.status_wait), DAY),
            ("keep_alive", seconds(self.keep_alive), DAY),
            ("client_stall", seconds(self.client_stall), DAY),
            ("settle", seconds(self.settle), DAY),
            ("request_read", seconds(self.request_read), DAY),
            ("connections", self.connections as u64, 65_536),
            ("viewers", self.viewers as u64, 4_096),
            ("stop_grace", seconds(self.stop_grace), DAY),
        ] {
            // Nobody needs to wait in a queue, to watch, or to linger at the end.
            let least = match field {
                "queued" | "queued_per_key" | "viewers" | "stop_grace" => 0,
                _ => 1,
            };
            if given < least || given > most {
                return Err(LimitError {
                    field,
                    given,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}
