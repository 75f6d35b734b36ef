//! Structured output: which tokens keep an answer on its way to being JSON of a schema. A schema is compiled on the
//! caller's side, bounded in size and time; its grammar is followed token by token on the engine's thread.

mod schema;

use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use llguidance::{
    JsonCompileOptions, Matcher, ParserFactory,
    api::{ParserLimits, TopLevelGrammar},
    toktrie::{ApproximateTokEnv, INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie},
};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{error::EngineError, request::ResponseFormat, sampler::Allowed, tokenizer::TextCodec};

/// Schemas that are compiled at the same time.
const COMPILERS: usize = 2;
/// How long a request waits for its turn at a compiler.
const COMPILER_WAIT: Duration = Duration::from_secs(5);
/// How long the compilation of one schema may take.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(1);
/// The compiler descends into what refers to each other: a chain of as many definitions as fit into a schema must not
/// reach the end of its stack. Only pages that are touched take memory.
const COMPILER_STACK_BYTES: usize = 64 << 20;
/// What may stand between two parts of JSON: nothing, one space, or one line break with its indentation. Models that were
/// tuned on compact JSON, on Python's `json.dumps` or on indented JSON write what they learned; none can pad for ever.
const WHITESPACE: &str = r"\x20|\x0A[\x20\x09]{0,32}";
/// Tokens that are longer take no part in structured output; the trie cannot hold them.
const MAX_PIECE_BYTES: usize = 1000;

/// Compiles what answers of one base model must be, a few at a time.
pub(crate) struct Compilers {
    grammars: Arc<Grammars>,
    slots: Arc<Semaphore>,
}

impl Compilers {
    /// Those of [`Grammars::new`].
    ///
    /// # Errors
    /// Those of [`Grammars::new`].
    pub(crate) fn new(codec: &TextCodec, vocab_size: usize, eos: &[u32]) -> Result<Self, EngineError> {
        let grammars = Arc::new(Grammars::new(codec, vocab_size, eos)?);
        Ok(Self { grammars, slots: Arc::new(Semaphore::new(COMPILERS)) })
    }

    /// The grammar of a format; `None` where any text will do.
    ///
    /// # Errors
    /// [`EngineError::QueueFull`] when others have all turns; those of [`Grammars::compile`].
    pub(crate) async fn compile(&self, format: ResponseFormat) -> Result<Option<Grammar>, EngineError> {
        if format == ResponseFormat::Text {
            return Ok(None);
        }
        let turn = Arc::clone(&self.slots).acquire_owned();
        let slot = timeout(COMPILER_WAIT, turn).await.ok().and_then(Result::ok);
        let slot = slot.ok_or(EngineError::QueueFull { limit: COMPILERS })?;
        let grammars = Arc::clone(&self.grammars);
        let compiled = spawn_blocking(move || grammars.compile(format, Some(slot))).await;
        compiled.map_err(|error| EngineError::Fault(format!("a schema was not compiled: {error}")))?
    }
}

/// The vocabulary as schemas are compiled for it.
pub(crate) struct Grammars {
    factory: Arc<ParserFactory>,
    spaced: Arc<[Spaced]>,
    stack_bytes: usize,
}

/// What an answer must be, and how far it is.
#[derive(Clone)]
pub(crate) struct Grammar {
    matcher: Matcher,
    /// Until the first token is taken: tokens that may stand for another one there.
    spaced: Option<Arc<[Spaced]>>,
}

/// A token that begins with a space, and the one without: where decoding drops a text's first space they say the same
/// there, and models begin with the former.
#[derive(Debug, Clone, Copy)]
struct Spaced {
    token: u32,
    stands_for: u32,
}

impl Grammars {
    /// For a model whose logits have `vocab_size` rows, of which the tokenizer may know fewer, and whose answers end
    /// with one of `eos`.
    ///
    /// # Errors
    /// [`EngineError::Fault`]: the vocabulary cannot be arranged.
    pub(crate) fn new(codec: &TextCodec, vocab_size: usize, eos: &[u32]) -> Result<Self, EngineError> {
        let pieces = codec.pieces(vocab_size);
        let spaced = if codec.drops_first_space() { spaced(&pieces) } else { Arc::default() };
        Self::arrange(pieces, spaced, eos)
    }

    fn arrange(mut pieces: Vec<Vec<u8>>, spaced: Arc<[Spaced]>, eos: &[u32]) -> Result<Self, EngineError> {
        pieces.iter_mut().filter(|piece| piece.len() > MAX_PIECE_BYTES).for_each(Vec::clear);
        for &token in eos {
            if let Some(piece) = pieces.get_mut(token as usize) {
                piece.clear();
            }
        }
        let end = eos.first().copied().unwrap_or(INVALID_TOKEN);
        let mut trie = TokTrie::from(&TokRxInfo::new(pieces.len() as u32, end), &pieces);
        if !eos.is_empty() {
            trie = trie.with_eos_tokens(eos);
        }
        // No tokens are forced where only one text can follow: the model spells it as it learned to.
        let vocabulary: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&vocabulary)
            .map_err(|error| EngineError::Fault(format!("structured output: {error}")))?;
        factory.quiet();
        *factory.limits_mut() = limits();
        Ok(Self { factory: Arc::new(factory), spaced, stack_bytes: COMPILER_STACK_BYTES })
    }

    /// The grammar of a format; `None` where any text will do. Blocks. The slot is given back when the work is done, which
    /// after [`COMPILE_TIMEOUT`] is later than this returns.
    ///
    /// # Errors
    /// [`EngineError::Invalid`] names what of the schema cannot be honoured, or what of it is too much.
    pub(crate) fn compile(
        &self,
        format: ResponseFormat,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Option<Grammar>, EngineError> {
        let mut schema = match format {
            ResponseFormat::Text => return Ok(None),
            ResponseFormat::JsonObject => json!({ "type": "object" }),
            ResponseFormat::JsonSchema(schema) => {
                schema::check(&schema).map_err(invalid)?;
                schema
            }
        };
        // Adds a field to the object that `check` has seen.
        let whitespace_pattern = Some(WHITESPACE.to_owned());
        JsonCompileOptions { whitespace_pattern, ..JsonCompileOptions::default() }.apply_to(&mut schema);
        let factory = Arc::clone(&self.factory);
        let (compiled, outcome) = mpsc::sync_channel(1);
        let work = move || {
            let parser = factory.create_parser(TopLevelGrammar::from_json_schema(schema));
            let matcher = parser.and_then(|parser| {
                let mut matcher = Matcher::new(Ok(parser));
                // The first mask is the slowest, and there is none where nothing can conform.
                matcher.compute_mask().map(|_| matcher)
            });
            // Nobody may be waiting any more.
            _ = compiled.send(matcher);
            drop(slot);
        };
        thread::Builder::new()
            .name("tenora-schema".to_owned())
            .stack_size(self.stack_bytes)
            .spawn(work)
            .map_err(|error| EngineError::Fault(format!("a thread did not start: {error}")))?;
        match outcome.recv_timeout(COMPILE_TIMEOUT) {
            Ok(Ok(matcher)) => Ok(Some(Grammar { matcher, spaced: Some(Arc::clone(&self.spaced)) })),
            Ok(Err(error)) => Err(invalid(schema::explain_refusal(&error.to_string()))),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(invalid(format!(
                "takes longer than {} s to prepare; use a simpler schema: fewer alternatives, shorter patterns, smaller counts",
                COMPILE_TIMEOUT.as_secs()
            ))),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(EngineError::Fault("a schema's compiler ended without an answer".to_owned()))
            }
        }
    }
}

impl Grammar {
    /// The tokens that may come next, the end of the sequence where the answer may end; never none.
    ///
    /// # Errors
    /// [`EngineError::Invalid`]: the work for one token exceeds its limit, or nothing can follow.
    pub(crate) fn allowed(&mut self) -> Result<Allowed, EngineError> {
        let mut mask = self.matcher.compute_mask().map_err(|error| lost(&error))?;
        for &Spaced { token, stands_for } in self.spaced.iter().flat_map(|spaced| spaced.iter()) {
            if mask.is_allowed(stands_for) {
                mask.allow_token(token);
            }
        }
        Ok(Allowed(mask.into()))
    }

    /// Goes on by a token that was allowed. Whether the answer is complete, so that nothing but its end can follow.
    ///
    /// # Errors
    /// As [`Grammar::allowed`].
    pub(crate) fn take(&mut self, token: u32) -> Result<bool, EngineError> {
        let spaced = self.spaced.take();
        let first = spaced.iter().flat_map(|spaced| spaced.iter()).find(|spaced| spaced.token == token);
        let token = first.map_or(token, |spaced| spaced.stands_for);
        self.matcher.consume_token(token).map_err(|error| lost(&error))?;
        Ok(self.matcher.is_stopped())
    }
}

/// Tokens that begin with a space and whose rest is a token, too.
fn spaced(pieces: &[Vec<u8>]) -> Arc<[Spaced]> {
    let known: HashMap<&[u8], u32> = pieces
        .iter()
        .zip(0..)
        .filter(|(piece, _)| !piece.is_empty())
        .map(|(piece, id)| (&piece[..], id))
        .collect();
    let pairs = pieces.iter().zip(0..).filter_map(|(piece, token)| {
        let stands_for = *known.get(piece.strip_prefix(b" ")?)?;
        Some(Spaced { token, stands_for })
    });
    pairs.collect()
}

/// What one schema, and one token, may cost.
fn limits() -> ParserLimits {
    ParserLimits {
        max_items_in_row: 2000,
        initial_lexer_fuel: 1_000_000,
        step_lexer_fuel: 100_000,
        step_max_items: 25_000,
        max_lexer_states: 20_000,
        max_grammar_size: 200_000,
        precompute_large_lexemes: true,
        verbose_errors: false,
    }
}

fn invalid(problem: String) -> EngineError {
    EngineError::Invalid { field: "response_format", problem }
}

fn lost(error: &impl std::fmt::Display) -> EngineError {
    invalid(schema::explain_loss(&error.to_string()))
}

#[cfg(test)]
mod tests;
