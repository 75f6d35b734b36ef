//! The connection: every question in bounded time, every failure alike.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{
    Client, FromRedisValue, RedisError, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};

/// Longest wait of what no request waits for.
pub(super) const BACKGROUND_WAIT: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Redis failed, or did not answer in time.
#[derive(Debug)]
pub(super) struct Away;

pub(super) struct Link {
    client: Client,
    connection: Mutex<ConnectionManager>,
}

impl Link {
    /// Connects when first used: a server starts without Redis.
    pub(super) fn open(url: &SecretString) -> Result<Self, RedisError> {
        let client = Client::open(url.expose_secret())?;
        let connection = Mutex::new(manager(&client)?);
        Ok(Self { client, connection })
    }

    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        wait: Duration,
    ) -> Result<T, Away> {
        let mut connection = self.connection();
        within(wait, call.invoke_async(&mut connection)).await
    }

    pub(super) async fn delete(&self, key: String) -> Result<(), Away> {
        let mut connection = self.connection();
        let command = redis::Cmd::del(key);
        within(BACKGROUND_WAIT, command.exec_async(&mut connection)).await
    }

    /// A connection whose other end has vanished never says so; a new one does.
    pub(super) fn reconnect(&self) {
        if let Ok(fresh) = manager(&self.client) {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn manager(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(BACKGROUND_WAIT))
        .set_max_delay(MAX_RECONNECT_DELAY)
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
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
