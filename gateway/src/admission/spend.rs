//! What a month's budget is rebuilt from: the usage rows.

use futures_util::future::BoxFuture;
use tenora_adapter_store::{AdapterStore, KeyId, Spender, TenantId};
use uuid::Uuid;

use crate::limits::{Month, MonthlySpend, SpendError, SubjectKind};

impl MonthlySpend for AdapterStore {
    fn spent(&self, kind: SubjectKind, id: Uuid, month: Month) -> BoxFuture<'_, Result<u64, SpendError>> {
        Box::pin(async move {
            let spender = match kind {
                SubjectKind::Tenant => Spender::Tenant(TenantId::parse(&id.to_string())?),
                SubjectKind::Key => {
                    let key = KeyId::parse(&id.simple().to_string())?;
                    let owner = self.key_stands(key).await?.ok_or("the key does not stand any more")?;
                    Spender::Key(owner.tenant.id, key)
                }
            };
            let month_of_year = time::Month::try_from(month.number())?;
            Ok(self.month_tokens(spender, month.year(), month_of_year).await?)
        })
    }
}
