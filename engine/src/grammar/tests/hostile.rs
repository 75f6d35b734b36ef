//! Schemas that are meant to hurt: refused, or followed within their time.

use std::iter::repeat_n;

use super::*;

/// Longest that one of them may keep its sender's thread busy, on a machine that is busy itself.
const WORST: Duration = Duration::from_millis(1500);
/// Longest that one mask may hold up a step, on a machine that is busy itself.
const WORST_MASK: Duration = Duration::from_millis(250);

fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({ "type": "string" }), |inner, _| wrap(inner))
}

/// Definitions of which each refers to the next.
fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
    let mut definitions = serde_json::Map::new();
    for index in 0..length {
        definitions.insert(format!("d{index}"), link(json!({ "$ref": format!("#/$defs/d{}", index + 1) })));
    }
    definitions.insert(format!("d{length}"), json!({ "type": "integer" }));
    json!({ "$defs": definitions, "$ref": "#/$defs/d0" })
}

fn named(count: usize, schema: &Value) -> serde_json::Map<String, Value> {
    (0..count).map(|index| (format!("property{index}"), schema.clone())).collect()
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

type Cases = Vec<(&'static str, Value)>;

fn hostile() -> Cases {
    [nested_and_linked(), large(), patterns(), nonsense()].concat()
}

fn nested_and_linked() -> Cases {
    let either = |index: usize| {
        json!({ "anyOf": [
            { "properties": { (format!("a{index}")): { "type": "integer" } }, "required": [format!("a{index}")] },
            { "properties": { (format!("b{index}")): { "type": "string" } }, "required": [format!("b{index}")] },
        ] })
    };
    vec![
        ("deep objects", nested(300, |inner| json!({ "properties": { "a": inner } }))),
        ("deep lists, just allowed", nested(60, |inner| json!({ "type": "array", "items": inner }))),
        ("deep alternatives", nested(30, |inner| json!({ "anyOf": [inner, { "type": "null" }] }))),
        ("itself", json!({ "$ref": "#" })),
        ("itself twice", json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }] })),
        (
            "one another",
            json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
        ),
        ("a list of itself", json!({ "type": "array", "items": { "$ref": "#" } })),
        (
            "a must of itself",
            json!({ "type": "object", "properties": { "a": { "$ref": "#" } }, "required": ["a"] }),
        ),
        ("a long chain", chain(1700, |link| link)),
        ("a long chain of lists", chain(1300, |link| json!({ "items": link }))),
        ("a long chain of objects", chain(1000, |link| json!({ "properties": { "a": link } }))),
        ("a long chain of alternatives", chain(1100, |link| json!({ "anyOf": [link, {}] }))),
        ("a long chain of all", chain(800, |link| json!({ "allOf": [link, link] }))),
        (
            "many alternatives at once",
            json!({ "type": "object", "allOf": (0..20).map(either).collect::<Vec<_>>() }),
        ),
    ]
}

fn large() -> Cases {
    let words: Vec<String> = (0..4500).map(|index| format!("word{index}")).collect();
    vec![
        ("many bytes", json!({ "description": "x".repeat(100 << 10) })),
        ("many words", json!({ "enum": words })),
        (
            "many optional properties",
            json!({ "properties": named(1500, &json!({ "type": "string" })), "type": "object" }),
        ),
        (
            "many properties, some needed",
            json!({ "properties": named(900, &json!({ "type": "integer" })), "type": "object", "minProperties": 5 }),
        ),
        (
            "many patterns",
            json!({ "type": "object", "patternProperties": (0..32).map(|i| (format!("^p{i}[a-z]*{i}$"), json!({}))).collect::<serde_json::Map<_, _>>() }),
        ),
        (
            "more patterns",
            json!({ "type": "object", "patternProperties": (0..33).map(|i| (format!("^{i}$"), json!({}))).collect::<serde_json::Map<_, _>>() }),
        ),
        (
            "patterns of one kind",
            json!({ "type": "object", "patternProperties": (0..30).map(|i| (format!("(a|b)*a(a|b){{{i}}}$"), json!({}))).collect::<serde_json::Map<_, _>>() }),
        ),
        ("many items", json!({ "type": "array", "items": { "type": "integer" }, "minItems": 100_000 })),
        (
            "many items of many",
            nested(
                6,
                |inner| json!({ "type": "array", "items": inner, "minItems": 99_999, "maxItems": 100_000 }),
            ),
        ),
        ("long strings", json!({ "type": "string", "minLength": 99_999, "maxLength": 100_000 })),
        (
            "long strings of a pattern",
            json!({ "type": "string", "pattern": "^(a|b)*a(a|b)*$", "minLength": 50_000, "maxLength": 100_000 }),
        ),
        (
            "many long strings",
            json!({ "properties": named(400, &json!({ "type": "string", "minLength": 10, "maxLength": 90_000 })), "type": "object" }),
        ),
    ]
}

fn patterns() -> Cases {
    vec![
        ("nested repetition", pattern("^(a+)+$")),
        ("ambiguous repetition", pattern("^(a|aa|aaa)+b$")),
        ("a pattern of exponential states", pattern("^(a|b)*a(a|b){40}$")),
        ("a search of exponential states", pattern("(a|b)*a(a|b){200}c")),
        ("a million counts", pattern("^a{0,1000000}$")),
        ("counts of counts", pattern("^((a{1,1000}){1,1000}){1,1000}$")),
        ("counts of anything", pattern("^(.*x){500}$")),
        ("any letter, often", pattern(&repeat_n("\\w*\\d*", 500).collect::<String>())),
        ("deep groups", pattern(&format!("{}a{}", "(".repeat(240), ")".repeat(240)))),
        ("deeper groups", pattern(&format!("{}a{}", "(".repeat(20_000), ")".repeat(20_000)))),
        ("deep repetition", pattern(&format!("{}a{}", "(".repeat(200), ")*".repeat(200)))),
        ("many alternatives", pattern(&(0..6000).map(|i| format!("x{i}")).collect::<Vec<_>>().join("|"))),
        ("many classes", pattern(&repeat_n("[\\p{L}\\p{N}]", 2000).collect::<String>())),
    ]
}

fn nonsense() -> Cases {
    vec![
        ("no divisor", json!({ "type": "number", "multipleOf": 0 })),
        ("a small divisor", json!({ "type": "number", "multipleOf": 1e-300 })),
        ("a large divisor", json!({ "type": "integer", "multipleOf": 4_000_000_007u64 })),
        (
            "divisors of one another",
            json!({ "allOf": [{ "type": "integer", "multipleOf": 99_991 }, { "multipleOf": 99_989 }] }),
        ),
        ("large numbers", json!({ "type": "number", "minimum": 1e307, "maximum": 1.7e308 })),
        ("small numbers", json!({ "type": "number", "minimum": 5e-324, "maximum": 1e-300 })),
        (
            "large integers",
            json!({ "type": "integer", "minimum": -9_223_372_036_854_775_808i64, "maximum": 18_446_744_073_709_551_615u64 }),
        ),
        ("a keyword of the wrong kind", json!({ "type": 5, "properties": [1], "required": "a", "enum": {} })),
        (
            "a name of the wrong kind",
            json!({ "type": "object", "required": [1, {}], "properties": { "": { "enum": [] } } }),
        ),
        (
            "a long complaint about letters",
            json!({ "type": "string", "minLength": format!("{}é", "x".repeat(98)).repeat(4) }),
        ),
        ("an unknown draft", json!({ "$schema": "http://example.com/draft", "type": "object" })),
    ]
}

#[test]
fn a_quarter_of_the_compilers_stack_is_enough_for_any_of_them() {
    let all = Grammars::new(&CODEC, VOCABULARY, &[EOS]).unwrap();
    let all = Grammars { stack_bytes: COMPILER_STACK_BYTES / 4, ..all };
    for (_, schema) in hostile() {
        _ = all.compile(ResponseFormat::JsonSchema(schema), None);
    }
}

#[test]
fn it_is_refused_or_followed_in_time_and_nothing_panics() {
    let mut report = Vec::new();
    for (name, schema) in hostile() {
        let began = Instant::now();
        let compiled = compile(&schema);
        let took = began.elapsed();
        let (mut slowest, mut outcome) = (Duration::ZERO, "refused");
        match compiled {
            Ok(mut grammar) => {
                outcome = "followed";
                for seed in 0..2 {
                    let mut babbler = Babbler { tires_after: usize::MAX, ..Babbler::new(seed) };
                    if let Err(error) = babbler.answer(&mut grammar.clone(), 150) {
                        assert!(matches!(error, EngineError::Invalid { .. }), "{name}: {error}");
                        outcome = "lost";
                    }
                    slowest = slowest.max(babbler.slowest);
                }
                _ = grammar.allowed();
            }
            Err(refusal) => {
                assert!(refusal.starts_with("response_format: ") && refusal.len() < 700, "{name}: {refusal}");
                println!("{name}: {refusal}");
            }
        }
        report.push(format!("{took:>9.1?} {slowest:>9.1?} {outcome:<9} {name}"));
        assert!(took < WORST, "{name} took {took:?}");
        assert!(slowest < WORST_MASK, "{name} held a step up for {slowest:?}");
    }
    println!("{}", report.join("\n"));
}
