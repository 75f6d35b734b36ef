//! Drives a runner by hand: allocates blocks, sorts rows by adapter, builds batches.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    fmt, fs,
    path::Path,
    sync::Arc,
};

#[cfg(feature = "cuda")]
use tenora_engine::runner::cuda::driver::Device;
use tenora_engine::{
    batch::{Batch, BatchSequence, Segment},
    config::{DeviceChoice, EngineConfig, InstructionSet, Quantization},
    kv_pool::BlockId,
    logits::{NextLogits, Wanted},
    runner::{ResidentAdapter, Runner, cpu::CpuRunner, cuda::CudaRunner, reference::ReferenceRunner},
};
use tenora_kernels::abi::Element;

use crate::{
    emulated::EmulatedGpu,
    files::adapter_files,
    fixture::{Case, Fixture, folder},
};

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Reference,
    Cpu(InstructionSet, usize),
    Quantized(InstructionSet, usize),
    /// The cuda runner on a GPU that the host plays.
    Emulated(Precision),
    /// The cuda runner on a GPU.
    #[cfg(feature = "cuda")]
    Cuda(Precision),
}

/// What weights become on a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    F32,
    Bf16,
}

impl Precision {
    fn element(self) -> Option<Element> {
        Some(match self {
            Self::F32 => Element::F32,
            Self::Bf16 => Element::Bf16,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A runner of whatever kind, with its free blocks and its adapters.
pub(crate) struct Driver {
    runner: Box<dyn AnyRunner>,
    free: Vec<BlockId>,
}

/// One sequence.
#[derive(Default)]
pub(crate) struct Row {
    adapter: Option<String>,
    blocks: Vec<BlockId>,
    position: usize,
}

impl Row {
    pub(crate) fn position(&self) -> usize {
        self.position
    }
}

impl Driver {
    pub(crate) fn load(model: &str, kind: Kind) -> Self {
        Self::load_from(&folder(model).join("base"), kind)
    }

    pub(crate) fn load_from(base: &Path, kind: Kind) -> Self {
        let mut config = EngineConfig::new(base);
        config.kv_bytes = Some(8 << 20);
        config.device = DeviceChoice::Cpu;
        if let Kind::Cpu(instructions, threads) | Kind::Quantized(instructions, threads) = kind {
            (config.instruction_set, config.threads) = (Some(instructions), Some(threads));
        }
        config.quantization = matches!(kind, Kind::Quantized(..)).then_some(Quantization::Q8_0);
        let runner = match kind {
            Kind::Reference => Loaded::boxed(ReferenceRunner::load(&config, &|_| ()).unwrap()),
            Kind::Emulated(precision) => {
                let gpu = EmulatedGpu::default();
                Loaded::boxed(CudaRunner::load(gpu, precision.element(), &config, &|_| ()).unwrap())
            }
            #[cfg(feature = "cuda")]
            Kind::Cuda(precision) => {
                let gpu = Device::open(DeviceChoice::Cuda(0)).unwrap();
                Loaded::boxed(CudaRunner::load(gpu, precision.element(), &config, &|_| ()).unwrap())
            }
            _ => Loaded::boxed(CpuRunner::load(&config, &|_| ()).unwrap()),
        };
        // Every third block first, so that no sequence's blocks lie side by side.
        let blocks = runner.blocks().0 as u32;
        let free = (0..3).flat_map(|offset| (offset..blocks).step_by(3)).map(BlockId).collect();
        Self { runner, free }
    }

    pub(crate) fn row(&mut self, fixture: &Fixture, case: &Case) -> Row {
        if let Some(adapter) = &case.adapter {
            self.runner.load(fixture.model, adapter);
        }
        Row { adapter: case.adapter.clone(), ..Row::default() }
    }

    /// What the emulated GPU was asked for since the last call.
    pub(crate) fn take_launches(&self) -> BTreeMap<&'static str, usize> {
        self.runner.take_launches().expect("an emulated GPU")
    }

    pub(crate) fn release(&mut self, row: Row) {
        self.free.extend(row.blocks);
    }

    /// One step: each row's tokens, and whether the logits of the last are wanted. Logits come back in the order of `work`.
    pub(crate) fn step(&mut self, work: &mut [(&mut Row, Vec<u32>, bool)]) -> Vec<Vec<f32>> {
        let wanted = |wants: bool| if wants { Wanted::Row } else { Wanted::Nothing };
        let work = work.iter_mut().map(|(row, tokens, wants)| (&mut **row, tokens.clone(), wanted(*wants)));
        let row = |answer| match answer {
            Answer::Row(row) => row,
            Answer::Top { .. } => unreachable!("rows were asked for"),
        };
        self.ask(&mut work.collect::<Vec<_>>()).into_iter().map(row).collect()
    }

    /// The same for those who say what they want.
    pub(crate) fn ask(&mut self, work: &mut [(&mut Row, Vec<u32>, Wanted)]) -> Vec<Answer> {
        let mut order: Vec<usize> = (0..work.len()).collect();
        order.sort_by_key(|&i| work[i].0.adapter.clone());
        let (_, block_tokens) = self.runner.blocks();
        let mut plan = Plan::default();
        for &i in &order {
            let (row, tokens, wanted) = &mut work[i];
            let start = plan.tokens.len();
            plan.positions.extend((row.position..row.position + tokens.len()).map(|p| p as u32));
            plan.tokens.extend(tokens.iter());
            row.position += tokens.len();
            while row.blocks.len() * block_tokens < row.position {
                row.blocks.push(self.free.pop().expect("enough blocks"));
            }
            let rows = start..plan.tokens.len();
            match plan.segments.last_mut() {
                Some((last, adapter)) if *adapter == row.adapter => last.end = rows.end,
                _ => plan.segments.push((rows.clone(), row.adapter.clone())),
            }
            plan.sequences.push(BatchSequence { rows, blocks: row.blocks.clone(), wanted: *wanted });
        }
        let answers = self.runner.run(plan);
        let mut numbered: Vec<_> =
            order.into_iter().filter(|&i| work[i].2 != Wanted::Nothing).zip(answers).collect();
        numbered.sort_by_key(|(i, _)| *i);
        numbered.into_iter().map(|(_, answer)| answer).collect()
    }
}

/// What a runner said of a sequence's next token.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Row(Vec<f32>),
    Top { tokens: Vec<u32>, logits: Vec<f32>, log_sum_exp: f32, finite: bool },
}

impl From<NextLogits<'_>> for Answer {
    fn from(logits: NextLogits<'_>) -> Self {
        match logits {
            NextLogits::Row(row) => Self::Row(row.to_vec()),
            NextLogits::Top(top) => Self::Top {
                tokens: top.tokens.to_vec(),
                logits: top.logits.to_vec(),
                log_sum_exp: top.log_sum_exp,
                finite: top.finite,
            },
        }
    }
}

/// A batch with adapters by name.
#[derive(Default)]
struct Plan {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    sequences: Vec<BatchSequence>,
    segments: Vec<(std::ops::Range<usize>, Option<String>)>,
}

/// A runner without its type.
trait AnyRunner {
    fn blocks(&self) -> (usize, usize);
    fn load(&mut self, model: &str, adapter: &str);
    fn run(&mut self, plan: Plan) -> Vec<Answer>;

    fn take_launches(&self) -> Option<BTreeMap<&'static str, usize>>;
}

struct Loaded<R: Runner> {
    runner: R,
    adapters: HashMap<String, Arc<R::Adapter>>,
}

impl<R: Runner> Loaded<R> {
    fn boxed(runner: R) -> Box<dyn AnyRunner> {
        Box::new(Self { runner, adapters: HashMap::new() })
    }
}

impl<R: Runner> AnyRunner for Loaded<R> {
    fn blocks(&self) -> (usize, usize) {
        (self.runner.kv_blocks(), self.runner.block_tokens())
    }

    fn load(&mut self, model: &str, adapter: &str) {
        let load = || {
            let (loader, files) = (self.runner.loader(), adapter_files(&folder(model).join(adapter)));
            let resident = loader.load(&files).unwrap();
            let most = loader.resident_bytes(fs::metadata(&files.weights).unwrap().len());
            assert!(resident.bytes() <= most, "{adapter} takes {} bytes of {most}", resident.bytes());
            Arc::new(resident)
        };
        self.adapters.entry(adapter.to_owned()).or_insert_with(load);
    }

    fn run(&mut self, plan: Plan) -> Vec<Answer> {
        let Plan { tokens, positions, sequences, segments } = plan;
        let segment = |(rows, name): (_, Option<String>)| Segment {
            rows,
            adapter: name.map(|name| Arc::clone(&self.adapters[&name])),
        };
        let segments = segments.into_iter().map(segment).collect();
        let batch = Batch { tokens, positions, sequences, segments };
        let answers: Vec<_> = self.runner.run(&batch).unwrap().into_iter().map(Answer::from).collect();
        assert_eq!(answers.len(), batch.wanted_rows().count());
        answers
    }

    fn take_launches(&self) -> Option<BTreeMap<&'static str, usize>> {
        let runner: &dyn Any = &self.runner;
        let emulated = runner.downcast_ref::<CudaRunner<EmulatedGpu>>()?;
        Some(emulated.gpu().take_launches())
    }
}
