//! `serve --demo`: three tenants, each with one adapter and one key, made once. A second start changes nothing.

use std::{fmt, fs, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tenora_adapter_store::{
    Actor, AdapterName, DisplayName, NewKey, OperatorStore, Scope, Staged, StoreError, Tenant, TenantSlug,
    TenantStore,
};

use crate::{
    app::App,
    push::{Candidate, Pushing},
    secrets,
};

/// The file in the data folder that tells people and scripts how to try the demo.
pub const CREDENTIALS_FILE: &str = "demo-credentials.json";
/// The name of the keys that the demo makes, and replaces when their file is lost.
const KEY_NAME: &str = "demo";
/// A tenant of the demo, and the adapter it brings.
const TENANTS: [Part; 3] = [
    Part { slug: "acme", name: "Acme Support", adapter: "ticket-triage" },
    Part { slug: "globex", name: "Globex Analytics", adapter: "text-to-sql" },
    Part { slug: "initech", name: "Initech Communications", adapter: "brand-voice" },
];

struct Part {
    slug: &'static str,
    name: &'static str,
    adapter: &'static str,
}

/// Where the demo answers, and to whom.
pub struct Server {
    /// Its address.
    pub url: String,
    /// The operator's key.
    pub admin_key: SecretString,
}

/// What [`CREDENTIALS_FILE`] holds. No `Debug`: these are secrets, written for their owner alone.
#[derive(Serialize, Deserialize, PartialEq)]
pub struct Credentials {
    url: String,
    admin_key: String,
    tenants: Vec<TenantCredentials>,
}

#[derive(Serialize, Deserialize, PartialEq)]
struct TenantCredentials {
    slug: String,
    api_key: String,
    adapters: Vec<String>,
}

/// Makes what is missing of the demo, and tells how to reach it.
pub async fn seed(
    app: &Arc<App>,
    dir: &Path,
    data_dir: &Path,
    server: &Server,
) -> anyhow::Result<Credentials> {
    let file = data_dir.join(CREDENTIALS_FILE);
    let before =
        fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str::<Credentials>(&text).ok());
    let mut tenants = Vec::new();
    for part in &TENANTS {
        let kept = before.iter().flat_map(|before| &before.tenants).find(|tenant| tenant.slug == part.slug);
        let seeded = seed_tenant(app, dir, part, kept).await;
        tenants.push(seeded.with_context(|| format!("cannot set up the demo tenant {}", part.slug))?);
    }
    let now = Credentials {
        url: server.url.clone(),
        admin_key: server.admin_key.expose_secret().to_owned(),
        tenants,
    };
    if before.as_ref() != Some(&now) {
        secrets::write_private(&file, &serde_json::to_string_pretty(&now)?)?;
    }
    Ok(now)
}

async fn seed_tenant(
    app: &Arc<App>,
    dir: &Path,
    part: &Part,
    kept: Option<&TenantCredentials>,
) -> anyhow::Result<TenantCredentials> {
    let operator = app.store.operator(Actor::SYSTEM);
    let tenant = ensure_tenant(&operator, part).await?;
    let api_key = ensure_key(app, &operator, &tenant, kept).await?;
    let adapters = vec![ensure_adapter(app, dir, &tenant, part.adapter).await?];
    Ok(TenantCredentials { slug: part.slug.to_owned(), api_key, adapters })
}

async fn ensure_tenant(operator: &OperatorStore, part: &Part) -> anyhow::Result<Tenant> {
    let slug = TenantSlug::parse(part.slug)?;
    match operator.tenant_by_slug(&slug).await {
        Err(StoreError::TenantNotFound) => {
            Ok(operator.create_tenant(&slug, &DisplayName::parse(part.name)?).await?)
        }
        other => Ok(other?),
    }
}

/// The key from last time when it still opens this tenant; else a new one, and the lost ones are revoked.
async fn ensure_key(
    app: &Arc<App>,
    operator: &OperatorStore,
    tenant: &Tenant,
    kept: Option<&TenantCredentials>,
) -> anyhow::Result<String> {
    if let Some(kept) = kept {
        let opened = app.store.authenticate(&kept.api_key).await?;
        if opened.is_some_and(|key| key.tenant.id == tenant.id) {
            return Ok(kept.api_key.clone());
        }
    }
    let keys = operator.keys(&tenant.slug).await?;
    for lost in keys.list().await? {
        if lost.name.as_str() == KEY_NAME && lost.revoked_at.is_none() {
            keys.revoke(lost.id).await?;
        }
    }
    // A demo's tenant tries everything that is a tenant's to do.
    let scopes = Scope::ALL.into_iter().collect();
    let created = keys.create(NewKey::new(DisplayName::parse(KEY_NAME)?, scopes)).await?;
    Ok(created.key.expose_secret().to_owned())
}

/// The same way as a push. Files that are a version already stay that version.
async fn ensure_adapter(app: &Arc<App>, dir: &Path, tenant: &Tenant, name: &str) -> anyhow::Result<String> {
    let files = dir.join("adapters").join(name);
    let staged = stage(&app.store.tenant(tenant.id), &files)
        .await
        .with_context(|| format!("cannot read {}", files.display()))?;
    let adapter = AdapterName::parse(name)?;
    let known = app.store.tenant(tenant.id).resolve(&adapter.clone().into(), None).await;
    if known.is_ok_and(|version| version.digest == staged.digest() && app.fits_base(&version)) {
        return Ok(name.to_owned());
    }
    let candidate = Candidate {
        owner: tenant.clone(),
        actor: Actor::SYSTEM,
        name: adapter,
        staged: Arc::new(staged),
        upload: None,
        moves_latest: false,
    };
    let place = app.place_for_push()?;
    let pushed = Pushing::begin(Arc::clone(app), candidate, place).await?.end().await;
    pushed.map_err(|error| anyhow!(error).context(format!("the adapter {name} is not accepted")))?;
    Ok(name.to_owned())
}

async fn stage(tenant: &TenantStore, files: &Path) -> anyhow::Result<Staged> {
    let mut staging = tenant.stage().await?;
    staging.write_config(tokio::fs::read(files.join("adapter_config.json")).await?.into()).await?;
    staging.write_weights(tokio::fs::read(files.join("adapter_model.safetensors")).await?.into()).await?;
    Ok(staging.finish().await?)
}

impl fmt::Display for Credentials {
    /// What a newcomer reads on the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nTenora's demo is ready at {}\n\n  admin key  {}", self.url, self.admin_key)?;
        for TenantCredentials { slug, api_key, adapters } in &self.tenants {
            writeln!(f, "  {slug:<9}  {api_key}  {}", adapters.join(", "))?;
        }
        if let Some(TenantCredentials { api_key, adapters, .. }) = self.tenants.first() {
            let model = adapters.first().map_or("", String::as_str);
            writeln!(f, "\nTry it:\n\n  curl {}/v1/chat/completions \\", self.url)?;
            writeln!(f, "    -H 'Authorization: Bearer {api_key}' -H 'Content-Type: application/json' \\")?;
            writeln!(
                f,
                "    -d '{{\"model\":\"{model}\",\"temperature\":0,\"messages\":[{{\"role\":\"user\",\"content\":\"I was charged twice for my order.\"}}]}}'\n"
            )?;
        }
        Ok(())
    }
}
