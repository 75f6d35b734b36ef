//! The connections: every question in bounded time, every failure alike.

use std::time::Duration;

use redis::{FromRedisValue, RedisError, ScriptInvocation};
use secrecy::SecretString;
use tenora_adapter_store::RedisConnections;

/// Longest wait of what no request waits for.
pub(super) const BACKGROUND_WAIT: Duration = Duration::from_millis(500);

/// Redis failed, or did not answer in time.
#[derive(Debug)]
pub(super) struct Away;

pub(super) struct Link(RedisConnections);

impl Link {
    /// Connects when first used: a server starts without Redis.
    pub(super) fn open(url: &SecretString) -> Result<Self, RedisError> {
        RedisConnections::open(url).map(Self)
    }

    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        wait: Duration,
    ) -> Result<T, Away> {
        let answer = async {
            let mut connection = self.0.get()?;
            match call.invoke_async(&mut connection).await {
                // Closed while this thread asked nothing. Should Redis have had the question all the same, it knows it
                // again by its id.
                Err(error) if error.is_unrecoverable_error() => call.invoke_async(&mut connection).await,
                answer => answer,
            }
        };
        within(wait, answer).await
    }

    pub(super) async fn delete(&self, key: String) -> Result<(), Away> {
        let command = redis::Cmd::del(key);
        let answer = async { command.exec_async(&mut self.0.get()?).await };
        within(BACKGROUND_WAIT, answer).await
    }

    /// A connection whose other end has vanished never says so; new ones do.
    pub(super) fn reconnect(&self) {
        self.0.renew();
    }
}

async fn within<T>(wait: Duration, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Away> {
    match tokio::time::timeout(wait, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            tracing::debug!(%error, "Redis failed");
            Err(Away)
        }
        Err(_) => {
            tracing::debug!(wait_ms = wait.as_millis() as u64, "Redis did not answer in time");
            Err(Away)
        }
    }
}
