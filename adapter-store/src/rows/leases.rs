//! The table `leases`: what one server at a time does. A lease ends by itself, so that a dead holder blocks nobody for long;
//! it saves work, and nothing is wrong when two hold what both believe to be theirs (clocks differ).

use uuid::Uuid;

use crate::database::{Transaction, execute};
use crate::error::StoreError;

/// Takes the lease, or holds it longer; `false` when another has it and it has not ended. Times are Unix seconds.
pub(crate) async fn take(
    transaction: &mut Transaction,
    name: &str,
    holder: Uuid,
    (now, ends_at): (i64, i64),
) -> Result<bool, StoreError> {
    const TAKE: &str = "INSERT INTO leases (name, holder, ends_at) VALUES ($1, $2, $3) \
                        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, ends_at = excluded.ends_at \
                        WHERE leases.holder = excluded.holder OR leases.ends_at <= $4";
    let taken = execute!(transaction, sqlx::query(TAKE).bind(name).bind(holder).bind(ends_at).bind(now))?;
    Ok(taken == 1)
}

/// Gives the lease back, when it is still this holder's.
pub(crate) async fn release(
    transaction: &mut Transaction,
    name: &str,
    holder: Uuid,
) -> Result<(), StoreError> {
    const RELEASE: &str = "DELETE FROM leases WHERE name = $1 AND holder = $2";
    execute!(transaction, sqlx::query(RELEASE).bind(name).bind(holder)).map(drop)
}
