//! Prompts whose length in tokens is known, and the tokenizer that makes it known: one word is one token.

use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// What stands for a word outside the vocabulary.
pub(crate) const UNKNOWN: &str = "<unk>";

/// The commonest words of English: what prompts are made of.
const WORDS: &str = "the of and to in is that for it as was with be by on not he his but at are this have from or had an \
    they which one you were all her she there would their we him been has when who will no more if out so up said what its \
    about than into them can only other time new some could these two may first then do any like my now over such our man \
    me even most made after also did many off before must well back through years where much your way down should because \
    long each just state those people too mr how little good world make very year still see own work men day get here \
    between both life being under three never know same last another while us might great go come since against right came \
    take used himself few house use place during high without again home around small however found mrs part school thought \
    went say general once upon every left war";

/// A `tokenizer.json` of the kind WordLevel with exactly this many entries. None of them is special, so that every token
/// has text and every generated token is an event of its own.
pub(crate) fn tokenizer(vocabulary: usize) -> Value {
    let fillers = (0..).map(|number| format!("w{number}"));
    let words = std::iter::once(UNKNOWN.to_owned()).chain(words().map(str::to_owned)).chain(fillers);
    let vocabulary: Map<String, Value> = words.take(vocabulary).zip((0..).map(|id: u32| id.into())).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": UNKNOWN },
    })
}

/// A text of this many tokens.
pub(crate) fn prompt(random: &mut ChaCha8Rng, tokens: usize) -> String {
    let words: Vec<&str> = words().collect();
    let chosen: Vec<&str> = (0..tokens).filter_map(|_| words.choose(random).copied()).collect();
    chosen.join(" ")
}

fn words() -> impl Iterator<Item = &'static str> {
    WORDS.split_whitespace()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tokenizers::Tokenizer;

    use super::*;

    #[test]
    fn a_prompt_has_exactly_as_many_tokens_as_asked_for() {
        let tokenizer = Tokenizer::from_bytes(tokenizer(32_000).to_string()).unwrap();
        assert_eq!(tokenizer.get_vocab_size(true), 32_000);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (first, second) = (prompt(&mut random, 67), prompt(&mut random, 67));
        assert_ne!(first, second);
        for text in [first, second] {
            let ids = tokenizer.encode(text, true).unwrap().get_ids().to_vec();
            assert_eq!(ids.len(), 67);
            assert!(!ids.contains(&0), "every word is known");
        }
    }

    #[test]
    fn every_token_has_text() {
        let tokenizer = Tokenizer::from_bytes(tokenizer(512).to_string()).unwrap();
        for id in 0..512 {
            assert!(!tokenizer.decode(&[id], true).unwrap().trim().is_empty(), "{id}");
        }
    }
}
