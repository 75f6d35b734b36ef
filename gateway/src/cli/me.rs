//! `tenora me`: what an API key says of itself.

use clap::Args;
use serde_json::{Value, json};

use super::{client::TenantKey, table};

/// Whom an API key speaks for.
#[derive(Debug, Args)]
pub(super) struct Command {
    #[command(flatten)]
    key: TenantKey,
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.key.client()?;
        let (me, limits) = (client.get(&["v1", "me"]).await?, client.get(&["v1", "limits"]).await?);
        if self.key.server.json {
            return table::json(&json!({ "me": me, "limits": limits }));
        }
        let all = |value: &Value| if value.is_null() { "all".to_owned() } else { table::text(value) };
        let mut rows = vec![
            ["tenant".to_owned(), table::text(&me["tenant"])],
            ["key".to_owned(), table::text(&me["key_id"])],
            ["may".to_owned(), table::text(&me["scopes"])],
            ["adapters".to_owned(), all(&me["adapters"])],
            ["base model".to_owned(), table::text(&me["base_model"])],
        ];
        for (of, left) in [("tenant", "tenant_left"), ("key", "key_left")] {
            for (name, most) in
                limits[of].as_object().into_iter().flatten().filter(|(_, most)| !most.is_null())
            {
                let left = &limits[left][name]["remaining"];
                let words = match left {
                    Value::Null => table::text(most),
                    left => format!("{} ({left} left)", table::text(most)),
                };
                rows.push([format!("{of}'s {}", name.replace('_', " ")), words]);
            }
        }
        table::rows(["FIELD", "VALUE"], &rows)
    }
}
