//! What the server does to all tenants' rows by itself, from time to time.

use std::time::Duration;

use sqlx::types::Json;

use super::now;
use crate::database::{Transaction, execute};
use crate::error::StoreError;
use crate::push::Refusal;

/// Ends the pushes whose server has not been heard of for a while, and forgets those that ended long ago.
pub(crate) async fn pushes(
    transaction: &mut Transaction,
    silence: Duration,
    kept: Duration,
) -> Result<(), StoreError> {
    const ABANDONED: &str = "UPDATE pushes SET state = 'failed', refusal = $1, finished_at = $2 \
                             WHERE finished_at IS NULL AND touched_at < $3";
    const OLD: &str = "DELETE FROM pushes WHERE finished_at < $1";
    let now = now();
    let refusal = Refusal {
        code: "server_stopped".to_owned(),
        param: None,
        message: "The server stopped while it checked this push. Push it again.".to_owned(),
    };
    execute!(transaction, sqlx::query(ABANDONED).bind(Json(&refusal)).bind(now).bind(now - silence))?;
    execute!(transaction, sqlx::query(OLD).bind(now - kept)).map(drop)
}
