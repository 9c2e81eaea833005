//! Ending an answer early.

use super::{Answer, Client, ClientError, Finished};

/// How often the receipt is asked for.
const TRIES: u32 = 6;

impl Client {
    /// Ends an answer early and takes the receipt for what was delivered.
    ///
    /// An executor notices with the next token that nobody follows, and before the first one that may take a while. Whoever
    /// followed the answer meanwhile would be one who wants it, and pay for all of it: so it is looked at, and left again.
    ///
    /// Nothing comes of it where the operator is still at it after the last try: it stays in flight, see [`Self::resume`].
    ///
    /// # Errors
    /// As [`Self::resume`].
    pub async fn hang_up(&self, answer: Answer) -> Result<Vec<Finished>, ClientError> {
        let (session, operator) = answer.channel();
        drop(answer);
        let mut finished = Vec::new();
        let mut pause = self.inner.config.hang_up;
        for _ in 0..TRIES {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            // Of one that ended each is stored.
            loop {
                match self.pending(&session, &operator).await? {
                    None => return Ok(finished),
                    Some(answer) if answer.is_stored() => finished.push(answer.finish().await?),
                    Some(_) => break,
                }
            }
        }
        Ok(finished)
    }
}
