//! The routes of vLLM that a client of its adapters uses.

use std::{fs, path::Path, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Data, Json, ServiceConfig},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tenora_engine::AdapterFiles;

use super::{BASE, State, answers};

pub(super) fn mount(config: &mut ServiceConfig) {
    config
        .route("/health", web::get().to(HttpResponse::Ok))
        .route("/metrics", web::get().to(metrics))
        .route("/v1/models", web::get().to(models))
        .route("/v1/load_lora_adapter", web::post().to(load))
        .route("/v1/unload_lora_adapter", web::post().to(unload))
        .route("/v1/completions", web::post().to(complete));
}

async fn metrics(state: Data<State>) -> HttpResponse {
    let (stats, now) = (state.engine.stats(), state.now());
    HttpResponse::Ok().content_type("text/plain").body(format!(
        "# TYPE vllm:num_requests_running gauge\n\
         vllm:num_requests_running{{engine=\"0\",model_name=\"{BASE}\"}} {:.1}\n\
         vllm:num_requests_waiting{{engine=\"0\",model_name=\"{BASE}\"}} {:.1}\n\
         vllm:kv_cache_usage_perc{{engine=\"0\",model_name=\"{BASE}\"}} {}\n\
         vllm:cache_config_info{{block_size=\"16\",num_gpu_blocks=\"{}\"}} 1.0\n\
         process_start_time_seconds {}\n",
        stats.running as f64, stats.waiting as f64, now.faults.kv_used, stats.kv_blocks, now.started
    ))
}

async fn models(request: HttpRequest, state: Data<State>) -> HttpResponse {
    if let Some(refusal) = stranger(&request, &state) {
        return refusal;
    }
    let adapters = state.now().adapters.keys().cloned().collect::<Vec<_>>();
    let card = |id: &str, parent: Option<&str>| json!({"id": id, "object": "model", "parent": parent, "root": "/somewhere"});
    let all = std::iter::once(card(BASE, None)).chain(adapters.iter().map(|name| card(name, Some(BASE))));
    HttpResponse::Ok().json(json!({"object": "list", "data": all.collect::<Vec<_>>()}))
}

async fn load(request: HttpRequest, body: Json<Value>, state: Data<State>) -> HttpResponse {
    if let Some(refusal) = stranger(&request, &state) {
        return refusal;
    }
    let (name, path) = (text(&body, "lora_name"), text(&body, "lora_path"));
    let faults = {
        let mut now = state.now();
        now.seen.bodies.push(body.to_string());
        now.faults.clone()
    };
    if let Some(time) = faults.slow_loads {
        tokio::time::sleep(time).await;
    }
    if let Some(words) = &faults.refuse_loads {
        return refuse(500, words);
    }
    if faults.fail_loads {
        return refuse(500, "CUDA error: out of memory");
    }
    if state.now().adapters.contains_key(&name) {
        return refuse(400, &format!("The lora adapter '{name}' has already been loaded."));
    }
    let Some(files) = adapter(Path::new(&path)) else {
        return refuse(404, &format!("Loading lora {name} failed: No adapter found for {path}"));
    };
    let mut now = state.now();
    now.seen.loads.push(name.clone());
    now.adapters.insert(name.clone(), files);
    now.seen.most_adapters = now.seen.most_adapters.max(now.adapters.len());
    if faults.forget {
        now.adapters.remove(&name);
    }
    HttpResponse::Ok().body(format!("Success: LoRA adapter '{name}' added successfully."))
}

async fn unload(request: HttpRequest, body: Json<Value>, state: Data<State>) -> HttpResponse {
    if let Some(refusal) = stranger(&request, &state) {
        return refusal;
    }
    let name = text(&body, "lora_name");
    match state.now().adapters.remove(&name) {
        Some(_) => HttpResponse::Ok().body(format!("Success: LoRA adapter '{name}' removed successfully.")),
        None => refuse(404, &format!("The lora adapter '{name}' cannot be found.")),
    }
}

async fn complete(request: HttpRequest, body: Json<Value>, state: Data<State>) -> HttpResponse {
    if let Some(refusal) = stranger(&request, &state) {
        return refusal;
    }
    let name = text(&body, "model");
    let (adapter, faults, life) = {
        let mut now = state.now();
        now.seen.asked.push(name.clone());
        now.seen.salts.push(text(&body, "cache_salt"));
        now.seen.bodies.push(body.to_string());
        (now.adapters.get(&name).cloned(), now.faults.clone(), now.life)
    };
    if faults.hang {
        std::future::pending::<()>().await;
    }
    if let Some(status) = faults.status {
        return refuse(status, "EngineCore encountered an issue.");
    }
    let adapter = match adapter {
        Some(_) if faults.serve_the_base => None,
        Some(adapter) => Some(adapter),
        None if name == BASE => None,
        None => return refuse(404, &format!("The model `{name}` does not exist.")),
    };
    match answers::generate(&state.engine, &body, adapter).await {
        Err(words) => refuse(400, &words),
        Ok(events) => answers::stream(state.clone().into_inner(), events, &body, (faults, life)),
    }
}

/// What somebody without the key is told.
fn stranger(request: &HttpRequest, state: &State) -> Option<HttpResponse> {
    let key = state.api_key.as_ref()?;
    let given = request.headers().get("authorization").and_then(|given| given.to_str().ok());
    (given != Some(&format!("Bearer {key}"))).then(|| refuse(401, "Unauthorized"))
}

fn refuse(status: u16, message: &str) -> HttpResponse {
    let error = json!({"error": {"message": message, "type": "Error", "param": null, "code": status}});
    HttpResponse::build(StatusCode::from_u16(status).expect("a status")).json(error)
}

pub(super) fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_default().to_owned()
}

/// What stands in a folder that PEFT could have saved.
pub(super) fn adapter(folder: &Path) -> Option<AdapterFiles> {
    let (config, weights) = (folder.join("adapter_config.json"), folder.join("adapter_model.safetensors"));
    let (config_bytes, weight_bytes) = (fs::read(&config).ok()?, fs::read(&weights).ok()?);
    let mut hash = Sha256::new();
    hash.update((config_bytes.len() as u64).to_le_bytes());
    hash.update(&config_bytes);
    hash.update(&weight_bytes);
    Some(AdapterFiles { digest: hash.finalize().into(), config, weights, pin: Arc::new(()) })
}
