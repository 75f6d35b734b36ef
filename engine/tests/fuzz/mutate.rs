//! One to four mutations of a good adapter. Most know what they touch: a mutant that is only noise gets no further than
//! the first byte.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use crate::corpus::Sample;

/// Lengths, offsets, sizes and ranks at which something changes.
const NUMBERS: [u64; 14] = [0, 1, 2, 3, 4, 7, 8, 16, 48, 255, 65_536, 1 << 31, 1 << 63, u64::MAX];
/// Words that mean something in a header or a config.
const WORDS: [&str; 26] = [
    "F32",
    "F16",
    "BF16",
    "F64",
    "I8",
    "all-linear",
    "q_proj",
    "lm_head",
    "LORA",
    "CAUSAL_LM",
    "pissa",
    "eva",
    "none",
    "all",
    "default",
    "__metadata__",
    "base_model.model.",
    "_orig_mod.",
    "module.",
    ".lora_A",
    ".lora_B",
    ".weight",
    "(?:a|b)*",
    "(?=x)",
    "\u{0}\u{7f}\n",
    "\u{202e}ä",
];
/// Numbers that no adapter should have, as f32 and in pairs as f16.
const BITS: [u32; 7] =
    [0x7fc0_0000, 0x7f80_0000, 0xff80_0000, 0x7f7f_ffff, 0x0000_0001, 0x7bff_7bff, 0x7c00_7e00];

/// A changed copy. Some of its parts may come from other samples.
pub(crate) fn mutate(sample: &Sample, samples: &[Sample], rng: &mut ChaCha8Rng) -> Sample {
    let mut mutant = sample.clone();
    for _ in 0..rng.random_range(1..=4) {
        mutate_once(&mut mutant, samples, rng);
    }
    mutant
}

fn mutate_once(mutant: &mut Sample, samples: &[Sample], rng: &mut ChaCha8Rng) {
    let intact = mutant.weights.len() >= 8 && mutant.data() <= mutant.weights.len();
    match rng.random_range(0..12) {
        0..4 => edit(&mut mutant.config, rng),
        4..7 if intact => {
            let data = mutant.data();
            let mut header = mutant.weights[8..data].to_vec();
            edit(&mut header, rng);
            set_header(mutant, &header, data);
        }
        7 if intact => {
            let (data, word) = (mutant.data(), *BITS.choose(rng).unwrap());
            let at = rng.random_range(data..=mutant.weights.len());
            let end = (at + 4).min(mutant.weights.len());
            mutant.weights[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
        }
        8 => noise(&mut mutant.weights, rng),
        9 if mutant.weights.len() >= 8 => {
            let length = u64::from_le_bytes(mutant.weights[..8].try_into().unwrap());
            let near = length.wrapping_add(rng.random_range(0..17)).wrapping_sub(8);
            let length = if rng.random() { near } else { *NUMBERS.choose(rng).unwrap() };
            mutant.weights[..8].copy_from_slice(&length.to_le_bytes());
        }
        10 => {
            let other = samples.choose(rng).unwrap();
            if rng.random() {
                mutant.config.clone_from(&other.config);
            } else {
                mutant.weights.clone_from(&other.weights);
            }
        }
        _ => noise(&mut mutant.config, rng),
    }
}

fn set_header(mutant: &mut Sample, header: &[u8], data: usize) {
    let length = (header.len() as u64).to_le_bytes();
    mutant.weights = [&length, header, &mutant.weights[data..]].concat();
}

/// Changes bytes without knowing what they are.
fn noise(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=bytes.len());
    match rng.random_range(0..5) {
        0 => bytes.truncate(at),
        1 => bytes.extend((0..rng.random_range(1..64)).map(|_| rng.random::<u8>())),
        2 => {
            let end = (at + rng.random_range(1..40)).min(bytes.len());
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.random_range(0..8);
            }
        }
    }
}

/// Changes JSON as JSON where it is some, else as bytes.
fn edit(text: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let Ok(mut value) = serde_json::from_slice::<Value>(text) else { return noise(text, rng) };
    let mut left = rng.random_range(0..count(&value));
    change(&mut value, &mut left, rng);
    *text = value.to_string().into_bytes();
    if rng.random_ratio(1, 8) {
        say_twice(text, rng);
    }
}

/// Values in a value, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the value after `left` others.
fn change(value: &mut Value, left: &mut usize, rng: &mut ChaCha8Rng) {
    if *left == 0 {
        *left = usize::MAX;
        return replace(value, rng);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| within(item, left, rng)),
        Value::Object(entries) => entries.values_mut().for_each(|item| within(item, left, rng)),
        _ => {}
    }
}

fn within(value: &mut Value, left: &mut usize, rng: &mut ChaCha8Rng) {
    if *left != usize::MAX {
        change(value, left, rng);
    }
}

fn replace(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Object(entries) if rng.random_ratio(4, 5) => change_entries(entries, rng),
        Value::Array(items) if rng.random() && !items.is_empty() => {
            let index = rng.random_range(0..items.len());
            match rng.random_range(0..3) {
                0 => _ = items.remove(index),
                1 => items.push(items[index].clone()),
                _ => items.swap(0, index),
            }
        }
        Value::String(text) if rng.random_ratio(3, 4) => *text = respell(text, rng),
        Value::Number(number) if rng.random() => {
            let near = number.as_u64().unwrap_or(0).wrapping_add(rng.random_range(0..5)).wrapping_sub(2);
            *value = json!(near);
        }
        _ => *value = anything(rng),
    }
}

fn change_entries(entries: &mut Map<String, Value>, rng: &mut ChaCha8Rng) {
    let keys: Vec<String> = entries.keys().cloned().collect();
    let Some(key) = keys.choose(rng) else {
        entries.insert((*WORDS.choose(rng).unwrap()).to_owned(), anything(rng));
        return;
    };
    match rng.random_range(0..4) {
        0 => _ = entries.remove(key),
        1 => {
            let copy = entries[key].clone();
            entries.insert(respell(key, rng), copy);
        }
        2 => {
            let moved = entries.remove(key).unwrap_or_default();
            entries.insert(respell(key, rng), moved);
        }
        _ => _ = entries.insert(key.clone(), anything(rng)),
    }
}

/// Another text of the kind that a header or config holds.
fn respell(text: &str, rng: &mut ChaCha8Rng) -> String {
    let word = *WORDS.choose(rng).unwrap();
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let (before, after) = text.split_at(*places.choose(rng).unwrap());
    match rng.random_range(0..6) {
        0 => word.to_owned(),
        1 => format!("{before}{word}{after}"),
        2 => format!("{word}{text}"),
        3 => text.replacen("lora_A", "lora_B", 1),
        4 => text.replace(['0', '1'], "2"),
        _ => text.repeat(rng.random_range(0..5)),
    }
}

fn anything(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..9) {
        0 => Value::Null,
        1 => json!(rng.random::<bool>()),
        2 => json!(*NUMBERS.choose(rng).unwrap()),
        3 => json!(-(rng.random_range(0..100_i64))),
        4 => json!(*[0.5, 1e-300, 1e300, 3.5].choose(rng).unwrap()),
        5 => json!(*WORDS.choose(rng).unwrap()),
        6 => json!([*WORDS.choose(rng).unwrap(), *NUMBERS.choose(rng).unwrap()]),
        7 => (0..rng.random_range(1..200)).fold(json!(1), |inner, _| json!([inner])),
        _ => json!({ (*WORDS.choose(rng).unwrap()): *NUMBERS.choose(rng).unwrap() }),
    }
}

/// Says the first entry of an object a second time.
fn say_twice(text: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let opens: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'{').collect();
    let Some(&open) = opens.choose(rng) else { return };
    let entry: Vec<u8> = text[open + 1..].iter().copied().take_while(|byte| !b",{}".contains(byte)).collect();
    text.splice(open + 1..open + 1, [&entry[..], b","].concat());
}
