//! An engine on the demo's base model and adapters, and short words for asking it.

#[path = "files.rs"]
pub(crate) mod files;

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use futures_util::StreamExt;
use tenora_engine::{
    CacheDomain, ChatMessage, DeviceChoice, Engine, EngineConfig, EngineError, Event, FinishReason,
    GenerateRequest, Prompt, Sampling, Usage,
};

pub(crate) const ADAPTERS: [&str; 3] = ["ticket-triage", "text-to-sql", "brand-voice"];
pub(crate) const QUESTIONS: [&str; 2] =
    ["The printer in Leeds is broken again.", "How many orders did Anna Weber place in March?"];

pub(crate) fn demo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../demo")
}

pub(crate) fn engine(change: impl FnOnce(&mut EngineConfig)) -> Engine {
    engine_on(&demo().join("base"), change)
}

/// An engine on another base model's folder.
pub(crate) fn engine_on(base: &Path, change: impl FnOnce(&mut EngineConfig)) -> Engine {
    let mut config = EngineConfig::new(base);
    config.kv_bytes = Some(16 << 20);
    config.device = DeviceChoice::Cpu;
    config.paranoid = true;
    change(&mut config);
    Engine::start(config, std::sync::Arc::new(()), &|_| ()).unwrap()
}

/// A greedy chat of at most 40 tokens.
pub(crate) fn ask(adapter: Option<&str>, question: &str, tenant: u128) -> GenerateRequest {
    let message = ChatMessage { role: "user".to_owned(), content: question.to_owned(), name: None };
    GenerateRequest {
        prompt: Prompt::Chat(vec![message]),
        adapter: adapter.map(|adapter| files::adapter_files(&demo().join("adapters").join(adapter))),
        domain: CacheDomain(tenant),
        sampling: Sampling { temperature: 0.0, max_tokens: Some(40), ..Sampling::default() },
        weight: NonZeroU32::MIN,
        deadline: None,
    }
}

/// The texts of all choices, why each ended, and the sum.
pub(crate) async fn answer(
    engine: &Engine,
    request: GenerateRequest,
) -> Result<(Vec<String>, Vec<FinishReason>, Usage), EngineError> {
    let choices = request.sampling.n as usize;
    let mut events = engine.generate(request).await?;
    let (mut texts, mut reasons) = (vec![String::new(); choices], vec![FinishReason::Stop; choices]);
    while let Some(event) = events.next().await {
        match event? {
            Event::Text { choice, text, .. } => texts[choice as usize] += &text,
            Event::Finished { choice, reason } => reasons[choice as usize] = reason,
            Event::Done(usage) => return Ok((texts, reasons, usage)),
        }
    }
    Err(EngineError::Fault("the stream ended without a sum".to_owned()))
}

pub(crate) async fn text(engine: &Engine, request: GenerateRequest) -> String {
    answer(engine, request).await.unwrap().0.concat()
}
