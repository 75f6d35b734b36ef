//! Whatever a model prefers, what it may say is JSON of the schema; whatever a client sends, the work is bounded.

mod conforms;
mod cost;
mod hostile;

use std::{
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokenizers::{Tokenizer, decoders::metaspace::Metaspace, models::wordlevel::WordLevel};

use self::conforms::conforms;
use super::*;
use crate::{
    logits::NextLogits,
    request::Sampling,
    sampler::{Draw, sample},
};

const VOCABULARY: usize = 2560;
const EOS: u32 = 2;

static CODEC: LazyLock<TextCodec> = LazyLock::new(|| {
    let demo = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../demo/base");
    TextCodec::read(&demo, VOCABULARY).unwrap()
});
/// The model has a few rows more than its tokenizer has tokens.
static GRAMMARS: LazyLock<Grammars> =
    LazyLock::new(|| Grammars::new(&CODEC, VOCABULARY + 7, &[EOS]).unwrap());

fn compile(schema: &Value) -> Result<Grammar, String> {
    let compiled = GRAMMARS.compile(ResponseFormat::JsonSchema(schema.clone()), None);
    compiled.map(Option::unwrap).map_err(|error| error.to_string())
}

/// How somebody who has never seen JSON answers: any token that is allowed. Who grows tired prefers what ends.
struct Babbler {
    random: StdRng,
    temperature: f32,
    tires_after: usize,
    slowest: Duration,
}

impl Babbler {
    fn new(seed: u64) -> Self {
        let temperature = [0.0, 1.0, 1.0][seed as usize % 3];
        Self { random: StdRng::seed_from_u64(seed), temperature, tires_after: 60, slowest: Duration::ZERO }
    }

    /// Up to `most` tokens of an answer, and whether it was complete by then.
    fn answer(&mut self, grammar: &mut Grammar, most: usize) -> Result<(Vec<u8>, bool), EngineError> {
        let mut answer = Vec::new();
        for position in 0..most {
            let began = Instant::now();
            let allowed = grammar.allowed()?;
            self.slowest = self.slowest.max(began.elapsed());
            let mut logits: Vec<f32> = (0..VOCABULARY + 7).map(|_| self.random.random::<f32>()).collect();
            if position > self.tires_after {
                for (token, logit) in logits.iter_mut().enumerate() {
                    let ends = matches!(CODEC.token_bytes(token as u32).first(), Some(b'"' | b'}' | b']'));
                    *logit += if ends || token == EOS as usize { 20.0 } else { 0.0 };
                }
            }
            let sampling = Sampling { temperature: self.temperature, ..Sampling::default() };
            let draw = Draw { seed: 1, choice: 0, position };
            let token = sample(NextLogits::Row(&mut logits), Some(&allowed), &sampling, (&[], &[]), draw)
                .unwrap()
                .token;
            if token == EOS {
                return Ok((answer, true));
            }
            assert!((token as usize) < VOCABULARY, "a row without a token");
            answer.extend(CODEC.token_bytes(token));
            if grammar.take(token)? {
                return Ok((answer, true));
            }
        }
        Ok((answer, false))
    }
}

/// A complete answer under a schema; fails unless it is JSON that conforms.
#[track_caller]
fn conforming(schema: &Value, seed: u64) -> Value {
    let mut grammar = compile(schema).unwrap();
    let (text, complete) = Babbler::new(seed).answer(&mut grammar, 1500).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(complete, "it never ends: {text}");
    let value = match serde_json::from_str(&text) {
        Ok(value) => value,
        // JSON has numbers that are larger than any f64.
        Err(error) if error.to_string().starts_with("number out of range") => return Value::Null,
        Err(error) => panic!("{error}: {text}"),
    };
    assert!(conforms(&value, schema, schema), "{text} is not of {schema}");
    value
}

fn allows(grammar: &Grammar, text: &str) -> bool {
    let mut grammar = grammar.clone();
    let mut left = text.as_bytes();
    while !left.is_empty() {
        // Byte by byte, which is one of the ways to spell it.
        let byte = (0..VOCABULARY as u32).find(|&t| t != EOS && CODEC.token_bytes(t) == left[..1]).unwrap();
        let allowed = grammar.allowed().unwrap();
        left = &left[1..];
        let complete = match allowed.0[byte as usize / 32] >> (byte % 32) & 1 {
            0 => return false,
            _ => grammar.take(byte).unwrap(),
        };
        if complete && !left.is_empty() {
            return false;
        }
    }
    true
}

#[test]
fn every_kind_of_schema_is_followed() {
    for schema in [
        json!({ "type": "object" }),
        json!({ "enum": ["billing", "bug", 3, null, { "a": [1] }] }),
        json!({ "const": "é\n\"quoted\"" }),
        json!({ "type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,4}$" }),
        json!({ "type": "string", "minLength": 3, "maxLength": 5 }),
        json!({ "type": "integer", "minimum": -3, "maximum": 120 }),
        json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1.5 }),
        json!({ "type": "integer", "multipleOf": 7, "minimum": 0, "maximum": 1000 }),
        json!({ "type": ["string", "null"] }),
        json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 2, "maxItems": 4 }),
        json!({ "type": "array", "prefixItems": [{ "type": "integer" }, { "type": "null" }], "items": false, "minItems": 2 }),
        json!({
            "type": "object",
            "properties": {
                "category": { "enum": ["a", "b"] },
                "tags": { "type": "array", "items": { "type": "string", "maxLength": 4 }, "maxItems": 3 },
                "inner": { "type": "object", "properties": { "x": { "type": "number" } }, "required": ["x"], "additionalProperties": false },
            },
            "required": ["category", "inner"],
            "additionalProperties": false,
        }),
        json!({
            "$defs": { "tree": {
                "type": "object",
                "properties": { "left": { "anyOf": [{ "$ref": "#/$defs/tree" }, { "type": "null" }] } },
                "required": ["left"],
                "additionalProperties": false,
            } },
            "$ref": "#/$defs/tree",
        }),
        json!({ "allOf": [{ "type": "object", "required": ["a"] }, { "properties": { "a": { "type": "integer" } } }], "maxProperties": 1 }),
    ] {
        for seed in 0..6 {
            conforming(&schema, seed);
        }
    }
}

#[test]
fn an_object_is_compact_spaced_or_indented_and_never_padded_for_ever() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "array", "items": { "type": "integer" } } }, "required": ["a"] });
    let grammar = compile(&schema).unwrap();
    for allowed in [
        "{\"a\":[1,2]}",
        "{\"a\": [1, 2]}",
        "{ \"a\" : [ 1 , 2 ] }",
        "{\n  \"a\": [\n    1,\n    2\n  ]\n}",
        "{\n\t\"a\": [1]\n}",
    ] {
        assert!(allows(&grammar, allowed), "{allowed}");
    }
    let padded = format!("{{\n{}\"a\":[1]}}", " ".repeat(33));
    for refused in
        ["{  \"a\":[1]}", "{\n\n\"a\":[1]}", " {\"a\":[1]}", "{\"a\":[1]} ", "{\"a\":[01]}", "{}", &padded]
    {
        assert!(!allows(&grammar, refused), "{refused}");
    }
}

#[test]
fn the_end_is_allowed_where_the_answer_is_complete_and_nowhere_else() {
    let mut grammar = compile(&json!({ "type": "integer" })).unwrap();
    let end = |grammar: &mut Grammar| grammar.allowed().unwrap().0[0] >> EOS & 1 == 1;
    let digit = CODEC.encode_text("7").unwrap()[0];
    assert!(!end(&mut grammar));
    assert_eq!(grammar.take(digit).ok(), Some(false), "another digit may follow");
    assert!(end(&mut grammar));
    let mut list = compile(&json!({ "const": [7] })).unwrap();
    let complete: Vec<bool> =
        ["[", "7", "]"].map(|text| list.take(CODEC.encode_text(text).unwrap()[0]).unwrap()).to_vec();
    assert_eq!(complete, [false, false, true]);
}

#[test]
fn a_token_that_is_not_allowed_ends_the_answer_with_an_error_and_without_a_panic() {
    let mut grammar = compile(&json!({ "type": "integer" })).unwrap();
    let letter = CODEC.encode_text("x").unwrap()[0];
    for _ in 0..2 {
        let lost = grammar.take(letter).unwrap_err();
        assert!(matches!(lost, EngineError::Invalid { field: "response_format", .. }), "{lost}");
        assert!(grammar.allowed().is_err());
    }
}

#[test]
fn what_would_go_unheeded_is_refused_with_its_place() {
    for (schema, parts) in [
        (json!({ "properties": { "a": { "not": {} } } }), &["`not`", "#/properties/a", "leave it out"][..]),
        (json!({ "items": [{}, { "uniqueItems": true }] }), &["`uniqueItems`", "#/items/1"]),
        (json!({ "$defs": { "d": { "anyOf": [{ "if": {} }] } } }), &["`if`", "#/$defs/d/anyOf/0"]),
        (json!({ "type": "object", "x-guidance": { "lenient": true } }), &["x-guidance"]),
        (json!({ "type": "string", "format": "creditcard" }), &["creditcard"]),
        (json!({ "type": "text" }), &["text"]),
        (json!({ "type": "integer", "minimum": 5, "maximum": 4 }), &["nothing conforms"]),
        (
            json!({ "oneOf": [{ "type": "integer" }, { "type": "integer", "minimum": 1 }] }),
            &["`oneOf`", "`anyOf`"],
        ),
        (json!({ "$ref": "https://example.com/schema.json" }), &["https://example.com", "#/$defs"]),
        (json!({ "$ref": "file:///etc/passwd" }), &["file:///etc/passwd"]),
        (json!({ "$ref": "#/$defs/gone" }), &["gone"]),
        (json!({ "type": "string", "pattern": "(?=a)b" }), &["cannot be honoured"]),
        (json!({ "type": "string", "pattern": "(a" }), &["cannot be honoured"]),
        (json!({ "type": "array", "minItems": 1e9 }), &["#/minItems", "100000"]),
        (json!(true), &["object"]),
    ] {
        let refusal = compile(&schema).err().unwrap_or_else(|| panic!("taken: {schema}"));
        for part in parts {
            assert!(refusal.contains(part), "`{part}` in: {refusal}");
        }
    }
}

/// A vocabulary in SentencePiece's manner: `▁` is a space, and the first one of a text is dropped.
#[test]
fn a_first_token_with_a_space_that_decoding_drops_stands_for_the_one_without() {
    let words = ["<unk>", "</s>", "▁{", "{", "▁}", "}", "▁word"];
    let vocabulary = words.iter().zip(0..).map(|(word, id)| ((*word).to_owned(), id)).collect();
    let model = WordLevel::builder().vocab(vocabulary).unk_token("<unk>".to_owned()).build().unwrap();
    let mut tokenizer = Tokenizer::new(model);
    let plain = TextCodec::new(tokenizer.clone());
    tokenizer.with_decoder(Some(Metaspace::default()));
    let spaced = TextCodec::new(tokenizer);
    for (codec, first) in [(&plain, vec![3]), (&spaced, vec![2, 3])] {
        let grammars = Grammars::new(codec, words.len(), &[1]).unwrap();
        let mut grammar = grammars.compile(ResponseFormat::JsonObject, None).unwrap().unwrap();
        let allowed = |grammar: &mut Grammar| -> Vec<u32> {
            let word = grammar.allowed().unwrap().0[0];
            (0..32).filter(|bit| word >> bit & 1 == 1).collect()
        };
        assert_eq!(allowed(&mut grammar), first);
        assert_eq!(grammar.take(first[0]).ok(), Some(false));
        assert_eq!(allowed(&mut grammar), [4, 5]);
        assert_eq!(grammar.take(4).ok(), Some(true), "complete with its space inside");
    }
}

fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({ "type": "boolean" })),
        Just(json!({ "type": "null" })),
        Just(json!({ "type": "number" })),
        (-50i32..50, 0i32..100)
            .prop_map(|(low, more)| json!({ "type": "integer", "minimum": low, "maximum": low + more })),
        (0usize..4, 0usize..4)
            .prop_map(|(low, more)| json!({ "type": "string", "minLength": low, "maxLength": low + more })),
        proptest::sample::select(vec!["^a{1,9}$", "^b{2}", "^[0-9]{3}-[a-z]*$", "^(yes|no)$", "^é.$"])
            .prop_map(|pattern| json!({ "type": "string", "pattern": pattern })),
        proptest::collection::vec("[a-zä \"\\\\]{0,6}", 1..5).prop_map(|names| json!({ "enum": names })),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0usize..3, 0usize..3).prop_map(|(items, low, more)| {
                json!({ "type": "array", "items": items, "minItems": low, "maxItems": low + more })
            }),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(|options| json!({ "anyOf": options })),
            (proptest::collection::btree_map("[a-z]{1,3}", (inner, any::<bool>()), 0..4), any::<bool>()).prop_map(
                |(fields, open)| {
                    let required: Vec<&String> =
                        fields.iter().filter(|(_, (_, required))| *required).map(|(name, _)| name).collect();
                    let properties: serde_json::Map<String, Value> =
                        fields.iter().map(|(name, (schema, _))| (name.clone(), schema.clone())).collect();
                    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": open })
                }
            ),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn any_schema_and_any_preference_give_json_that_conforms(schema in schemas(), seed in 0u64..1000) {
        conforming(&schema, seed);
    }
}
