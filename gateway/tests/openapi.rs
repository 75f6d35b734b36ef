//! The API document and the route table say the same.

use serde_json::Value;
use tenora_gateway::{openapi::Document, router::routes};
use utoipa::OpenApi;

#[test]
fn every_route_is_documented_and_nothing_else() {
    let document: Value = serde_json::to_value(Document::openapi()).expect("JSON");
    let mut documented: Vec<String> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .into_iter()
                .flatten()
                .map(move |(method, _)| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let mut mounted: Vec<String> = routes()
        .iter()
        .map(|route| {
            // A parameter that takes slashes is written without its pattern.
            format!("{} {}", route.method, route.path.replace(":.*}", "}"))
        })
        .collect();
    documented.sort();
    mounted.sort();
    assert_eq!(documented, mounted);
}

#[test]
fn generations_have_bodies_with_schemas() {
    let document: Value = serde_json::to_value(Document::openapi()).expect("JSON");
    for path in ["/v1/chat/completions", "/v1/completions"] {
        let body =
            &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let name = body.as_str().and_then(|name| name.strip_prefix("#/components/schemas/")).expect(path);
        let schema = &document["components"]["schemas"][name];
        assert!(schema["properties"]["temperature"].is_object(), "{path}: {schema}");
        let answers = document["paths"][path]["post"]["responses"]["200"]["content"].as_object().expect(path);
        for media in ["application/json", "text/event-stream"] {
            assert!(answers.contains_key(media), "{path} answers with {media}, too");
        }
        assert!(
            schema["required"].as_array().is_some_and(|fields| fields.contains(&"model".into())),
            "{path}"
        );
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = serde_json::to_value(Document::openapi()).expect("JSON");
    let text = document.to_string();
    for reference in text.split(r#""$ref":"#).skip(1) {
        let target = reference.trim_start_matches('"').split('"').next().expect("a reference");
        let pointer = target.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
    let names: Vec<_> =
        text.split(r#""operationId":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let different: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    assert_eq!(names.len(), routes().len());
}
