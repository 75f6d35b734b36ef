//! A runner whose next token is a function of the whole sequence as its KV blocks hold it, and of the adapter: a block
//! that is lost, shared wrongly or overwritten changes the answer.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokenizers::{Tokenizer, models::wordlevel::WordLevel};
use tokio::sync::mpsc;

use super::super::*;
use crate::{
    active::EVENT_BUFFER,
    error::AdapterRejection,
    kv_pool::{BlockId, Owner},
    logits::TopLogits,
    request::{AdapterFiles, CacheDomain, Event, Sampling},
    runner::{AdapterLoader, BaseFacts, ResidentAdapter},
};

pub(super) const ADAPTERS: usize = 3;
pub(super) const BROKEN: usize = 10;
pub(super) const PANICS: usize = 11;
pub(super) const NAN: usize = 12;
pub(super) const CHANGED: usize = 13;
pub(super) const FATAL_TOKEN: u32 = 99;
/// After it the base model's logits are no numbers.
pub(super) const NAN_TOKEN: u32 = 98;
pub(super) const ADAPTER_BYTES: usize = 1000;
const VOCABULARY: u32 = 100;
const CONTEXT: usize = 450;
const BLOCK_TOKENS: usize = 4;

pub(super) struct FakeAdapter(usize);

impl ResidentAdapter for FakeAdapter {
    fn bytes(&self) -> usize {
        ADAPTER_BYTES
    }
}

pub(super) struct FakeRunner {
    blocks: usize,
    slots: HashMap<(BlockId, usize), u32>,
    rows: usize,
    logits: Vec<f32>,
    /// Tokens by their logits and these, for those that want only the largest.
    largest: (Vec<u32>, Vec<f32>),
    loader: Arc<FakeLoader>,
}

/// What follows these tokens under this adapter.
fn next(tokens: impl Iterator<Item = u32>, adapter: Option<usize>) -> u32 {
    let salt = adapter.map_or(0, |adapter| 31 * (adapter as u32 + 1));
    tokens.fold(salt, |sum, token| (sum * 17 + token + 1) % 9973) % (VOCABULARY - 3) + 1
}

/// What each sequence wants of its row, and not more.
fn answers<'a>(
    wanted: impl Iterator<Item = Wanted>,
    rows: &'a mut [f32],
    (tokens, logits): &'a mut (Vec<u32>, Vec<f32>),
) -> Vec<NextLogits<'a>> {
    let wanted = wanted.filter(|wanted| *wanted != Wanted::Nothing);
    tokens.clear();
    logits.clear();
    for row in rows.chunks_exact(VOCABULARY as usize) {
        let mut ranked: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        tokens.extend(ranked.iter().map(|ranked| ranked.0));
        logits.extend(ranked.iter().map(|ranked| ranked.1));
    }
    let ranked = tokens.chunks_exact(VOCABULARY as usize).zip(logits.chunks_exact(VOCABULARY as usize));
    let rows = rows.chunks_exact_mut(VOCABULARY as usize);
    let mut answers = Vec::new();
    for (wanted, ((tokens, logits), row)) in wanted.zip(ranked.zip(rows)) {
        answers.push(match wanted {
            Wanted::Top(count) => NextLogits::Top(TopLogits {
                tokens: &tokens[..count],
                logits: &logits[..count],
                log_sum_exp: row.iter().map(|logit| logit.exp()).sum::<f32>().ln(),
                finite: row.iter().all(|logit| *logit < f32::INFINITY),
            }),
            _ => NextLogits::Row(row),
        });
    }
    answers
}

impl Runner for FakeRunner {
    type Adapter = FakeAdapter;

    fn run_with(
        &mut self,
        batch: &Batch<FakeAdapter>,
        between: &mut dyn FnMut(),
    ) -> Result<Vec<NextLogits<'_>>, EngineError> {
        between();
        assert!(!batch.tokens.contains(&FATAL_TOKEN), "a panic on purpose");
        self.rows += batch.rows();
        self.logits.clear();
        for sequence in &batch.sequences {
            for row in sequence.rows.clone() {
                let position = batch.positions[row] as usize;
                let slot = (sequence.blocks[position / BLOCK_TOKENS], position % BLOCK_TOKENS);
                self.slots.insert(slot, batch.tokens[row]);
            }
            if sequence.wanted != Wanted::Nothing {
                let last = sequence.rows.end - 1;
                let segment = batch.segments.iter().find(|segment| segment.rows.contains(&last)).unwrap();
                let adapter = segment.adapter.as_ref().map(|adapter| adapter.0);
                let held = (0..=batch.positions[last] as usize)
                    .map(|p| self.slots[&(sequence.blocks[p / BLOCK_TOKENS], p % BLOCK_TOKENS)]);
                let mut row = vec![0.0; VOCABULARY as usize];
                let broken = adapter == Some(NAN) || (adapter.is_none() && batch.tokens[last] == NAN_TOKEN);
                row[next(held, adapter) as usize] = if broken { f32::NAN } else { 1.0 };
                self.logits.extend(row);
            }
        }
        let wanted = batch.sequences.iter().map(|sequence| sequence.wanted);
        Ok(answers(wanted, &mut self.logits, &mut self.largest))
    }

    fn loader(&self) -> Arc<dyn AdapterLoader<Adapter = FakeAdapter>> {
        Arc::clone(&self.loader) as _
    }

    fn base(&self) -> &BaseFacts {
        unreachable!("the stepper has no question about the base model")
    }

    fn kv_blocks(&self) -> usize {
        self.blocks
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }
}

/// Notes what it is asked for.
#[derive(Default)]
struct FakeLoader(Mutex<Vec<usize>>);

impl AdapterLoader for FakeLoader {
    type Adapter = FakeAdapter;

    fn load(&self, files: &AdapterFiles) -> Result<FakeAdapter, AdapterRejection> {
        let adapter = usize::from(files.digest[0]);
        self.0.lock().unwrap().push(adapter);
        match adapter {
            CHANGED => Err(AdapterRejection::whole(codes::DIGEST_MISMATCH, "changed on purpose")),
            BROKEN => Err(AdapterRejection::whole("broken", "broken on purpose")),
            PANICS => panic!("a panic on purpose"),
            adapter => Ok(FakeAdapter(adapter)),
        }
    }

    fn resident_bytes(&self, _: u64) -> usize {
        ADAPTER_BYTES
    }
}

/// What a bench is made of.
pub(super) struct Setup {
    pub(super) blocks: usize,
    pub(super) rows: usize,
    pub(super) sequences: usize,
    pub(super) adapter_bytes: usize,
    pub(super) patience: Duration,
    pub(super) target: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        let (patience, target) = (Duration::from_secs(3600), Duration::from_secs(3600));
        Self { blocks: 256, rows: 64, sequences: 8, adapter_bytes: 100 * ADAPTER_BYTES, patience, target }
    }
}

impl Setup {
    pub(super) fn start(self) -> Bench {
        Bench::start(self)
    }
}

/// A stepper over the fake runner, driven by hand.
pub(super) struct Bench {
    pub(super) stepper: Stepper<FakeRunner>,
    _file: tempfile::NamedTempFile,
    weights: std::path::PathBuf,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) prompt: Vec<u32>,
    pub(super) tenant: u128,
    pub(super) adapter: Option<usize>,
    pub(super) most: u32,
    pub(super) choices: u32,
    pub(super) weight: u32,
    pub(super) deadline: Option<Duration>,
    pub(super) trial: bool,
}

impl Default for Asked {
    fn default() -> Self {
        let (prompt, adapter, deadline) = (vec![1], None, None);
        Self { prompt, tenant: 1, adapter, most: 1, choices: 1, weight: 1, deadline, trial: false }
    }
}

/// The answer's tokens when nobody else is there.
pub(super) fn answer_of(asked: &Asked) -> Vec<u32> {
    let mut tokens = asked.prompt.clone();
    for _ in 0..asked.most {
        tokens.push(next(tokens.iter().copied(), asked.adapter));
    }
    tokens.split_off(asked.prompt.len())
}

impl Bench {
    pub(super) fn new(blocks: usize, rows: usize) -> Self {
        Setup { blocks, rows, ..Setup::default() }.start()
    }

    pub(super) fn with_adapter_bytes(blocks: usize, rows: usize, adapter_bytes: usize) -> Self {
        Setup { blocks, rows, adapter_bytes, ..Setup::default() }.start()
    }

    fn start(setup: Setup) -> Self {
        let Setup { blocks, rows, sequences, adapter_bytes, patience, target } = setup;
        let runner = FakeRunner {
            blocks,
            slots: HashMap::new(),
            rows: 0,
            logits: Vec::new(),
            largest: Default::default(),
            loader: Arc::default(),
        };
        let residency =
            Residency::new(adapter_bytes, runner.loader(), Arc::new(|| ())).with_patience(patience);
        let vocabulary = (0..VOCABULARY).map(|id| (format!("t{id}"), id)).collect();
        let words = WordLevel::builder().vocab(vocabulary).unk_token("t0".to_owned()).build().unwrap();
        let codec = Arc::new(TextCodec::new(Tokenizer::new(words)));
        let limits = Limits {
            rows,
            sequences: sequences.min(rows),
            context_length: CONTEXT,
            eos: Vec::new(),
            target,
            context_weight: 0.0,
            base_bytes: 100 * ADAPTER_BYTES as u64,
            paranoid: true,
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        let weights = file.path().to_owned();
        Self { stepper: Stepper::new(runner, residency, limits, codec, Arc::new(())), _file: file, weights }
    }

    pub(super) fn ask(&mut self, asked: &Asked) -> Reader {
        let (events, reader) = mpsc::channel(EVENT_BUFFER);
        let files = asked.adapter.map(|adapter| AdapterFiles {
            digest: [adapter as u8; 32],
            config: self.weights.clone(),
            weights: self.weights.clone(),
            pin: Arc::new(()),
        });
        self.stepper.accept(Submission {
            prompt: asked.prompt.clone(),
            owner: Owner {
                domain: CacheDomain(asked.tenant),
                adapter: files.as_ref().map(|files| files.digest),
            },
            adapter: files,
            sampling: Sampling {
                temperature: 0.0,
                max_tokens: Some(asked.most),
                n: asked.choices,
                ..Sampling::default()
            },
            grammar: None,
            seed: 1,
            events,
            progress: Arc::new(crate::request::Progress::submitted_now()),
            place: None,
            weight: NonZeroU32::new(asked.weight).unwrap(),
            deadline: asked.deadline.map(|after| Instant::now() + after),
            trial: asked.trial,
        });
        Reader(reader)
    }

    pub(super) fn step(&mut self) -> Progress {
        self.stepper.step()
    }

    /// Steps once, and gives loaders time when there is nothing else to do.
    pub(super) fn step_or_wait(&mut self) -> Progress {
        let progress = self.step();
        if progress == Progress::Waiting {
            std::thread::sleep(Duration::from_millis(1));
        }
        progress
    }

    pub(super) fn run_until_idle(&mut self) {
        for _ in 0..20_000 {
            if self.step_or_wait() == Progress::Idle {
                return;
            }
        }
        panic!("somebody starves: {:?}", self.stepper.stats());
    }

    pub(super) fn rows(&self) -> usize {
        self.stepper.runner.rows
    }

    /// How often an adapter was loaded.
    pub(super) fn loads(&self, adapter: usize) -> usize {
        self.stepper.runner.loader.0.lock().unwrap().iter().filter(|loaded| **loaded == adapter).count()
    }
}

/// How an answer ended, or that it has not.
#[derive(Debug)]
pub(super) enum Outcome {
    Done,
    Failed(EngineError),
    Open,
}

/// The other end.
pub(super) struct Reader(mpsc::Receiver<Result<Event, EngineError>>);

impl Reader {
    /// What has come by now, and the tokens that its text spells.
    pub(super) fn read(&mut self) -> (Vec<Event>, Vec<u32>) {
        let events: Vec<Event> = std::iter::from_fn(|| self.0.try_recv().ok()).map(Result::unwrap).collect();
        let texts = events.iter().filter_map(|event| match event {
            Event::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        let spelled = texts.collect::<String>();
        let tokens = spelled.split('t').filter_map(|digits| digits.trim().parse().ok()).collect();
        (events, tokens)
    }

    /// The tokens that have come by now, and whether they are all.
    pub(super) fn outcome(&mut self) -> (Vec<u32>, Outcome) {
        let (mut tokens, mut outcome) = (Vec::new(), Outcome::Open);
        while let Ok(event) = self.0.try_recv() {
            match event {
                Ok(Event::Text { text, .. }) => {
                    tokens.extend(text.split('t').filter_map(|digits| digits.trim().parse::<u32>().ok()));
                }
                Ok(Event::Finished { .. }) => {}
                Ok(Event::Done(_)) => outcome = Outcome::Done,
                Err(error) => outcome = Outcome::Failed(error),
            }
        }
        (tokens, outcome)
    }

    /// The error that ended it.
    pub(super) fn error(&mut self) -> Option<EngineError> {
        std::iter::from_fn(|| self.0.try_recv().ok()).find_map(Result::err)
    }
}
