//! What a mask costs: a measurement, run by hand.

use super::*;

fn everyday() -> [(&'static str, Value); 3] {
    [
        ("any object", json!({ "type": "object" })),
        (
            "a ticket",
            json!({
                "type": "object",
                "properties": {
                    "category": { "enum": ["billing", "bug", "account", "other"] },
                    "summary": { "type": "string", "maxLength": 200 },
                    "tags": { "type": "array", "items": { "type": "string" }, "maxItems": 5 },
                    "score": { "type": "number", "minimum": 0, "maximum": 1 },
                },
                "required": ["category", "summary", "tags", "score"],
                "additionalProperties": false,
            }),
        ),
        (
            "fifty fields",
            json!({
                "type": "object",
                "properties": (0..50).map(|i| (format!("field_{i}"), json!({ "type": "string", "maxLength": 40 }))).collect::<serde_json::Map<_, _>>(),
            }),
        ),
    ]
}

/// `cargo nextest run --release --workspace --run-ignored only -E 'test(what_a_mask_costs)' --no-capture`
#[test]
#[ignore = "a measurement"]
fn what_a_mask_costs_with_32_000_tokens() {
    let mut pieces: Vec<Vec<u8>> = CODEC.pieces(VOCABULARY);
    let mut random = StdRng::seed_from_u64(1);
    while pieces.len() < 32_000 {
        let mut piece = pieces[random.random_range(3..VOCABULARY)].clone();
        piece.extend_from_slice(&pieces[random.random_range(3..VOCABULARY)]);
        pieces.push(piece);
    }
    let began = Instant::now();
    let grammars = Grammars::arrange(pieces, Arc::default(), &[EOS]).unwrap();
    println!("the vocabulary is arranged in {:.1?}", began.elapsed());
    for (name, schema) in everyday() {
        let began = Instant::now();
        let format = ResponseFormat::JsonSchema(schema);
        let grammar = grammars.compile(format, None).unwrap().unwrap();
        let compiled = began.elapsed();
        let (mut masks, mut takes) = (Vec::new(), Vec::new());
        for seed in 0..8 {
            let mut grammar = grammar.clone();
            let mut random = StdRng::seed_from_u64(seed);
            for _ in 0..120 {
                let began = Instant::now();
                let allowed = grammar.allowed().unwrap();
                masks.push(began.elapsed());
                let is_allowed = |t: u32| allowed.0[t as usize / 32] >> (t % 32) & 1 == 1;
                let all: Vec<u32> = (0..32_000).filter(|&t| t != EOS && is_allowed(t)).collect();
                if all.is_empty() {
                    break;
                }
                let began = Instant::now();
                let complete = grammar.take(all[random.random_range(0..all.len())]).unwrap();
                takes.push(began.elapsed());
                if complete {
                    break;
                }
            }
        }
        masks.sort();
        takes.sort();
        let of = |times: &[Duration], share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{name}: compiled in {compiled:.1?}; {} masks: median {:.1?}, p99 {:.1?}, most {:.1?}; a token taken: median {:.1?}, most {:.1?}",
            masks.len(),
            of(&masks, 0.5),
            of(&masks, 0.99),
            of(&masks, 1.0),
            of(&takes, 0.5),
            of(&takes, 1.0)
        );
    }
}
