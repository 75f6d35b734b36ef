//! The resolve cache that replicas share. Redis is believed in nothing: an entry counts only with a MAC that binds it to its tenant, its reference, its epoch and its end.

use std::time::Duration;

use redis::{FromRedisValue, Pipeline, RedisError};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::breaker::Breaker;
use super::{Lookup, TTL, Ticket};
use crate::api_key::Pepper;
use crate::error::StoreError;
use crate::ids::{ModelRef, TenantId};
use crate::redis_connections::RedisConnections;
use crate::route::Route;

/// Seconds that Redis keeps a tenant's epoch: far longer than any entry lives. The next one is later still.
const EPOCH_S: u64 = 60 * 60;

/// A look-up may cost a request this much when Redis is slow; the breaker sees to it that few pay.
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(50);
/// A change is rare and worth a longer wait.
const INVALIDATE_TIMEOUT: Duration = Duration::from_millis(500);
const MAC_BYTES: usize = 32;

pub(crate) struct RedisCache {
    connections: RedisConnections,
    breaker: Breaker,
    prefix: String,
    pepper: Pepper,
}

/// What an entry says, under its MAC.
#[derive(Serialize, Deserialize)]
struct Claim {
    epoch: u64,
    /// Unix milliseconds: an old entry that is put back is still over.
    expires_ms: i64,
    route: Route,
}

impl RedisCache {
    /// Connects when first used: a server starts without Redis, and works without it.
    pub(crate) fn open(url: &SecretString, prefix: &str, pepper: Pepper) -> Result<Self, StoreError> {
        let setup = |error: RedisError| StoreError::Setup(format!("the Redis URL cannot be used: {error}"));
        let connections = RedisConnections::open(url).map_err(setup)?;
        Ok(Self { connections, breaker: Breaker::new(), prefix: prefix.to_owned(), pepper })
    }

    pub(super) async fn lookup(&self, tenant: TenantId, model: &ModelRef) -> Lookup {
        if !self.breaker.allows() {
            return Lookup::Unusable;
        }
        let mut pipeline = redis::pipe();
        self.ensure_epoch(&mut pipeline, tenant);
        pipeline.cmd("MGET").arg(self.epoch_key(tenant)).arg(self.entry_key(tenant, model));
        let answer: Option<((u64, Option<Vec<u8>>),)> = self.ask(&pipeline, LOOKUP_TIMEOUT).await;
        let Some(((epoch, entry),)) = answer else { return Lookup::Unusable };
        let Some(entry) = entry else { return Lookup::Miss(Ticket(epoch)) };
        match self.read(tenant, model, &entry) {
            Some(claim) if claim.epoch == epoch && now_ms() < claim.expires_ms => Lookup::Hit(claim.route),
            Some(_) => Lookup::Miss(Ticket(epoch)),
            None => {
                tracing::warn!(%tenant, %model, "a resolve entry in Redis was not written by this deployment and is ignored");
                Lookup::Unusable
            }
        }
    }

    pub(super) async fn fill(
        &self,
        ticket: Ticket,
        tenant: TenantId,
        model: &ModelRef,
        route: &Route,
    ) -> bool {
        if !self.breaker.allows() {
            return false;
        }
        let expires_ms = now_ms() + TTL.as_millis() as i64;
        let claim = Claim { epoch: ticket.0, expires_ms, route: route.clone() };
        let Ok(entry) = self.write(tenant, model, &claim) else { return false };
        let mut pipeline = redis::pipe();
        pipeline.pset_ex(self.entry_key(tenant, model), entry, TTL.as_millis() as u64).ignore();
        self.ask::<()>(&pipeline, LOOKUP_TIMEOUT).await.is_some()
    }

    /// Begins the tenant's next epoch. Tries even while the breaker holds look-ups back.
    pub(super) async fn invalidate(&self, tenant: TenantId) -> bool {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        self.ensure_epoch(&mut pipeline, tenant);
        pipeline.incr(self.epoch_key(tenant), 1).ignore();
        self.ask::<()>(&pipeline, INVALIDATE_TIMEOUT).await.is_some()
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let mut pipeline = redis::pipe();
        pipeline.ping().ignore();
        let answer = self.ask::<()>(&pipeline, INVALIDATE_TIMEOUT).await;
        answer.ok_or_else(|| StoreError::unavailable("Redis", "no answer in time"))
    }

    /// One round trip in bounded time; every failure is the same: `None`.
    async fn ask<T: FromRedisValue>(&self, pipeline: &Pipeline, wait: Duration) -> Option<T> {
        let answer = tokio::time::timeout(wait, self.query(pipeline)).await;
        let answer = match answer {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                tracing::warn!(%error, "Redis failed; the database answers");
                None
            }
            Err(_) => {
                tracing::warn!(
                    wait_ms = wait.as_millis() as u64,
                    "Redis did not answer in time; the database answers"
                );
                None
            }
        };
        self.breaker.record(answer.is_some());
        answer
    }

    /// Again over a new connection where this thread's had been closed while it asked nothing. An epoch that begins twice is as
    /// new as one that begins once.
    async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, RedisError> {
        let mut connection = self.connections.get()?;
        match pipeline.query_async(&mut connection).await {
            Err(error) if error.is_unrecoverable_error() => pipeline.query_async(&mut connection).await,
            answer => answer,
        }
    }

    fn write(&self, tenant: TenantId, model: &ModelRef, claim: &Claim) -> Result<Vec<u8>, serde_json::Error> {
        let body = serde_json::to_vec(claim)?;
        let mac = self.pepper.sign(&[tenant.as_uuid().as_bytes(), model.to_string().as_bytes(), &body]);
        Ok([mac.as_slice(), &body].concat())
    }

    fn read(&self, tenant: TenantId, model: &ModelRef, entry: &[u8]) -> Option<Claim> {
        let (mac, body) = entry.split_at_checked(MAC_BYTES)?;
        let genuine =
            self.pepper.verify(&[tenant.as_uuid().as_bytes(), model.to_string().as_bytes(), body], mac);
        genuine.then(|| serde_json::from_slice(body).ok()).flatten()
    }

    /// The braces keep a tenant's keys on one node of a cluster.
    /// The epoch of a tenant that has none (new, over, or lost by Redis) is later than every epoch it ever had.
    fn ensure_epoch(&self, pipeline: &mut redis::Pipeline, tenant: TenantId) {
        let set = pipeline.cmd("SET").arg(self.epoch_key(tenant)).arg(fresh_epoch());
        set.arg("NX").arg("EX").arg(EPOCH_S).ignore();
    }

    fn epoch_key(&self, tenant: TenantId) -> String {
        format!("{}epoch:{{{tenant}}}", self.prefix)
    }

    /// Made of a MAC, so that nobody outside chooses any part of a key.
    fn entry_key(&self, tenant: TenantId, model: &ModelRef) -> String {
        let name = self.pepper.sign(&[b"key", tenant.as_uuid().as_bytes(), model.to_string().as_bytes()]);
        format!("{}resolve:{{{tenant}}}:{}", self.prefix, hex::encode(&name[..16]))
    }
}

/// Microseconds since 1970: more than any count of changes since an earlier one.
fn fresh_epoch() -> u64 {
    (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000) as u64
}

fn now_ms() -> i64 {
    (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
}
