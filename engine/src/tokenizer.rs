//! Text to token ids and back, by the base model's own `tokenizer.json`. Text from users never becomes a special token.

use std::{collections::HashSet, path::Path};

use tokenizers::{DecoderWrapper, Tokenizer, step_decode_stream};

use crate::error::EngineError;

/// Stand-ins that tear a special token's text apart while a template is rendered; no text encodes to them.
const MARKS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// The base model's tokenizer.
pub(crate) struct TextCodec {
    /// Finds special tokens in text: for what templates write.
    templated: Tokenizer,
    /// Takes all text as text: for what users write.
    plain: Tokenizer,
    /// The texts of special tokens, the longest first.
    specials: Vec<(String, u32)>,
}

impl TextCodec {
    /// Reads `tokenizer.json` from a model folder.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: it is missing, damaged, or names tokens outside the model's vocabulary.
    pub(crate) fn read(dir: &Path, vocab_size: usize) -> Result<Self, EngineError> {
        let path = dir.join("tokenizer.json");
        let refuse = |problem: String| EngineError::BaseModel { path: path.clone(), problem };
        let tokenizer = Tokenizer::from_file(&path).map_err(|error| {
            refuse(format!("cannot be read: {error}; copy it from the model's own folder"))
        })?;
        if let Some((token, id)) =
            tokenizer.get_vocab(true).into_iter().find(|(_, id)| *id as usize >= vocab_size)
        {
            return Err(refuse(format!(
                "token `{token}` has id {id}, outside the model's vocabulary of {vocab_size}"
            )));
        }
        Ok(Self::new(tokenizer))
    }

    /// Wraps a tokenizer.
    pub(crate) fn new(mut tokenizer: Tokenizer) -> Self {
        // Truncation and padding are habits of training; they would silently change prompts.
        _ = tokenizer.with_truncation(None);
        tokenizer.with_padding(None);
        let added = tokenizer.get_added_tokens_decoder();
        let mut specials: Vec<(String, u32)> = added
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, token)| (token.content, id))
            .collect();
        specials.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let mut plain = tokenizer.clone();
        plain.set_encode_special_tokens(true);
        Self { templated: tokenizer, plain, specials }
    }

    /// Encodes a user's plain text, with the tokenizer's own prefix such as BOS.
    pub(crate) fn encode_text(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let encoding = self.plain.encode_fast(text, true).map_err(fault)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Encodes what a template wrote around texts that went through [`TextCodec::guard`].
    pub(crate) fn encode_rendered(
        &self,
        rendered: &str,
        mark: Option<char>,
    ) -> Result<Vec<u32>, EngineError> {
        let Some(mark) = mark else {
            return Ok(self.templated.encode_fast(rendered, false).map_err(fault)?.get_ids().to_vec());
        };
        let mut ids = Vec::new();
        let mut rest = rendered;
        while !rest.is_empty() {
            let (text, special, after) = self.next_special(rest);
            let text: String = text.chars().filter(|c| *c != mark).collect();
            ids.extend(self.plain.encode_fast(text, false).map_err(fault)?.get_ids());
            ids.extend(special);
            rest = after;
        }
        Ok(ids)
    }

    /// The text before the next special token, that token, and what comes after it.
    fn next_special<'t>(&self, text: &'t str) -> (&'t str, Option<u32>, &'t str) {
        let found =
            self.specials.iter().filter_map(|(special, id)| Some((text.find(special)?, special.len(), *id)));
        match found.min_by_key(|(at, length, _)| (*at, std::cmp::Reverse(*length))) {
            Some((at, length, id)) => (&text[..at], Some(id), &text[at + length..]),
            None => (text, None, ""),
        }
    }

    /// A mark that tears special tokens apart in these texts, where one of them has any. `None`: none has.
    pub(crate) fn mark_for<'t>(&self, texts: impl Iterator<Item = &'t str> + Clone) -> Option<char> {
        let forged = self
            .specials
            .iter()
            .any(|(special, _)| texts.clone().any(|text| text.contains(special.as_str())));
        let free = MARKS.into_iter().find(|mark| !texts.clone().any(|text| text.contains(*mark)));
        forged.then(|| free.unwrap_or(*MARKS.start()))
    }

    /// The text with a mark inside every special token that it spells.
    pub(crate) fn guard(&self, text: &str, mark: char) -> String {
        let mut guarded = text.to_owned();
        for (special, _) in &self.specials {
            let first = special.chars().next().map_or(0, char::len_utf8);
            let torn = format!("{}{mark}{}", &special[..first], &special[first..]);
            guarded = guarded.replace(special.as_str(), &torn);
        }
        guarded
    }

    /// What each token of the model adds to a text, `[vocab_size]`: nothing, for special tokens and for rows of the
    /// vocabulary that the tokenizer does not know.
    pub(crate) fn pieces(&self, vocab_size: usize) -> Vec<Vec<u8>> {
        let special: HashSet<u32> = self.specials.iter().map(|(_, id)| *id).collect();
        let piece = |id| if special.contains(&id) { Vec::new() } else { self.token_bytes(id) };
        (0..vocab_size as u32).map(piece).collect()
    }

    /// Whether a text's first space is dropped when its tokens are decoded, as SentencePiece's tokenizers do.
    pub(crate) fn drops_first_space(&self) -> bool {
        let words = self.plain.get_vocab(false);
        let spaced = words.values().find(|id| {
            let bytes = self.token_bytes(**id);
            bytes.len() > 1 && bytes[0] == b' ' && bytes[1].is_ascii_alphanumeric()
        });
        spaced.is_some_and(|id| {
            let decoded = self.plain.decode(&[*id], true);
            decoded.is_ok_and(|text| text.as_bytes() == &self.token_bytes(*id)[1..])
        })
    }

    /// The token's own bytes; a piece of a character is not text yet.
    pub(crate) fn token_bytes(&self, id: u32) -> Vec<u8> {
        let Some(token) = self.plain.id_to_token(id) else { return Vec::new() };
        if self.specials.iter().any(|(_, special)| *special == id) {
            return token.into_bytes();
        }
        if matches!(self.plain.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
            return token.chars().flat_map(byte_of).collect();
        }
        let byte =
            token.strip_prefix("<0x").and_then(|hex| u8::from_str_radix(hex.strip_suffix('>')?, 16).ok());
        byte.map_or_else(|| token.replace('▁', " ").into_bytes(), |byte| vec![byte])
    }
}

/// The byte that a character of the byte-level alphabet stands for (GPT-2's `bytes_to_unicode`): printable Latin-1 stands
/// for itself, the 68 other bytes are counted up from U+0100.
fn byte_of(c: char) -> Vec<u8> {
    let itself = |code: u32| matches!(code, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let code = u32::from(c);
    if itself(code) {
        return vec![code as u8];
    }
    let other = (0..=255u8).filter(|byte| !itself(u32::from(*byte))).nth(code.wrapping_sub(0x100) as usize);
    other.map_or_else(|| c.to_string().into_bytes(), |byte| vec![byte])
}

/// One answer's tokens on their way to text: whole characters only.
#[derive(Debug, Clone, Default)]
pub(crate) struct Detokenizer {
    ids: Vec<u32>,
    prefix: String,
    prefix_index: usize,
}

impl Detokenizer {
    /// The text that became certain with this token.
    pub(crate) fn push(&mut self, codec: &TextCodec, token: u32) -> Result<String, EngineError> {
        let Self { ids, prefix, prefix_index } = self;
        let text =
            step_decode_stream(&codec.plain, vec![token], true, ids, prefix, prefix_index).map_err(fault)?;
        Ok(text.unwrap_or_default())
    }

    /// What is left when no more tokens come: an unfinished character shows as U+FFFD.
    pub(crate) fn finish(&mut self, codec: &TextCodec) -> Result<String, EngineError> {
        let whole = codec.plain.decode(&self.ids, true).map_err(fault)?;
        let rest = whole.get(self.prefix.len()..).unwrap_or_default().to_owned();
        *self = Self::default();
        Ok(rest)
    }
}

fn fault(error: tokenizers::Error) -> EngineError {
    EngineError::Fault(format!("tokenizer: {error}"))
}

#[cfg(test)]
mod tests;
