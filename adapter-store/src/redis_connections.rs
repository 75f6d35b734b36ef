//! Connections to Redis: one for each thread that asks, driven where it was made. An answer wakes the thread that waits
//! for it and no other, waits for nobody else's work, and what one thread asks, Redis does in that order.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError};
use secrecy::{ExposeSecret, SecretString};

/// Nobody waits longer for an answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

type Connections = HashMap<ThreadId, ConnectionManager>;

/// Connections to one Redis.
pub struct RedisConnections {
    client: Client,
    /// Bounded by the threads of the runtimes.
    connections: Mutex<Connections>,
}

impl RedisConnections {
    /// Connects when first used: a server starts without Redis.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn open(url: &SecretString) -> Result<Self, RedisError> {
        Ok(Self { client: Client::open(url.expose_secret())?, connections: Mutex::default() })
    }

    /// This thread's.
    ///
    /// # Errors
    /// None can be made, connected or not.
    pub fn get(&self) -> Result<ConnectionManager, RedisError> {
        let mut connections = self.connections();
        if let Some(connection) = connections.get(&thread::current().id()) {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_max_delay(MAX_RECONNECT_DELAY)
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        connections.insert(thread::current().id(), connection.clone());
        Ok(connection)
    }

    /// Begins with new ones: a connection whose other end has vanished never says so.
    pub fn renew(&self) {
        self.connections().clear();
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
