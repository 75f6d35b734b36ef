//! The table `credential_epoch`: one number, raised in the transaction of whatever takes a credential's powers away, so that
//! reading one row every half second is enough to forget what is no longer true.

use crate::database::{Transaction, execute, on};
use crate::error::StoreError;

/// The epoch now.
pub(crate) async fn read(transaction: &mut Transaction) -> Result<i64, StoreError> {
    const SELECT: &str = "SELECT epoch FROM credential_epoch WHERE id = 1";
    let (epoch,): (i64,) = on!(transaction, t => sqlx::query_as(SELECT).fetch_one(&mut **t))?;
    Ok(epoch)
}

/// Begins a new epoch when the transaction commits.
pub(crate) async fn raise(transaction: &mut Transaction) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE credential_epoch SET epoch = epoch + 1 WHERE id = 1";
    execute!(transaction, sqlx::query(UPDATE)).map(drop)
}
