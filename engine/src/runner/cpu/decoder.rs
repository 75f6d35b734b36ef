//! The decoder of all served families as parallel regions over a step's rows: five a layer and two short ones for the norms,
//! and four more while adapters are in the batch.

use super::{
    CpuAdapter,
    attention::{Attend, Heads, KvMemory, Turn},
    feed::Piece,
    kernels::rms_norm,
    lanes::{Instructions, Kernel, Lanes},
    linear::{Linear, SCRATCH, widened},
    matrix::View,
    pool::Pool,
    project::{Gate, Member, Project, Shrink, UNIT_RANKS},
    workspace::Views,
};
use crate::{
    batch::{Batch, Segment},
    config::Quantization,
    error::EngineError,
    model::{Checkpoint, ModelConfig, Projection},
};

/// Rows of one task of a norm.
const NORM_ROWS: usize = 8;

/// The resident base model.
pub(super) struct Decoder {
    /// Rows of the embedding are columns of its panels, so that an output layer tied to it shares them.
    embedding: Linear,
    /// `None` = the embedding.
    head: Option<Linear>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    heads: Heads,
    epsilon: f32,
    frequencies: Vec<f32>,
}

struct Layer {
    projections: [Linear; 7],
    attention_norm: Vec<f32>,
    query_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    mlp_norm: Vec<f32>,
}

impl Decoder {
    /// Packs every tensor; the checkpoint has already been compared with the model.
    pub(super) fn load(
        model: &ModelConfig,
        checkpoint: &Checkpoint,
        quantization: Option<Quantization>,
    ) -> Result<Self, EngineError> {
        let source = Source { checkpoint, quantization };
        let layer = |index: usize| {
            let norm = |name| source.vector(&format!("model.layers.{index}.{name}.weight"));
            let projection = |p: Projection| source.linear(&p.path(index), model.has_bias(p));
            let [q, k, v, o, gate, up, down] = Projection::ALL.map(projection);
            let query_key_norms = model.has_qk_norm();
            Ok(Layer {
                projections: [q?, k?, v?, o?, gate?, up?, down?],
                attention_norm: norm("input_layernorm")?,
                query_norm: query_key_norms.then(|| norm("self_attn.q_norm")).transpose()?,
                key_norm: query_key_norms.then(|| norm("self_attn.k_norm")).transpose()?,
                mlp_norm: norm("post_attention_layernorm")?,
            })
        };
        Ok(Self {
            embedding: source.linear("model.embed_tokens", false)?,
            head: (!model.tied_embeddings).then(|| source.linear("lm_head", false)).transpose()?,
            layers: (0..model.layers).map(layer).collect::<Result<_, EngineError>>()?,
            norm: source.vector("model.norm.weight")?,
            heads: Heads::of(model),
            epsilon: model.rms_norm_eps as f32,
            frequencies: model.rope.inverse_frequencies(model.head_dim),
        })
    }

    /// Bytes of the packed matrices.
    pub(super) fn bytes(&self) -> usize {
        let linears = self.layers.iter().flat_map(|layer| &layer.projections);
        linears.chain([&self.embedding]).chain(&self.head).map(Linear::bytes).sum()
    }

    /// Numbers of scratch space that each thread needs.
    pub(super) fn scratch(&self, context: usize) -> usize {
        self.heads.scratch(context).max(SCRATCH)
    }
}

/// Where the tensors come from.
struct Source<'a> {
    checkpoint: &'a Checkpoint,
    quantization: Option<Quantization>,
}

impl Source<'_> {
    fn linear(&self, path: &str, has_bias: bool) -> Result<Linear, EngineError> {
        let weight = self.checkpoint.tensor(&format!("{path}.weight"))?;
        let bias = has_bias.then(|| self.checkpoint.tensor(&format!("{path}.bias"))).transpose()?;
        Linear::pack(&weight, bias.as_ref(), self.quantization)
            .map_err(|problem| self.checkpoint.fault(problem))
    }

    fn vector(&self, name: &str) -> Result<Vec<f32>, EngineError> {
        Ok(widened(&self.checkpoint.tensor(name)?))
    }
}

/// One step in progress.
pub(super) struct Step<'a> {
    pub(super) batch: &'a Batch<CpuAdapter>,
    pub(super) views: Views<'a>,
    pub(super) kv: &'a mut KvMemory,
    /// What later regions of the step will read of the adapters, asked for by the region that runs now.
    pub(super) coming: &'a mut Vec<Piece>,
    pub(super) pool: &'a mut Pool,
    pub(super) instructions: Instructions,
}

impl Decoder {
    /// Leaves the logits of each sequence that wants them in the workspace.
    pub(super) fn forward(&self, step: &mut Step<'_>, between: &mut dyn FnMut()) {
        self.begin(step);
        for (index, layer) in self.layers.iter().enumerate() {
            between();
            self.layer(index, layer, step);
        }
        self.finish(step);
    }

    /// Embeddings and angles.
    fn begin(&self, step: &mut Step<'_>) {
        let Step { batch, views, pool, .. } = step;
        pool.run(batch.rows(), &|row, _| {
            // SAFETY: a task has a row of its own.
            let (hidden, angles) = unsafe {
                (
                    views.hidden.row_mut(row, self.embedding.inputs),
                    views.angles.row_mut(row, self.heads.head_dim),
                )
            };
            self.embedding.weights_of(batch.tokens[row] as usize, hidden);
            let (cos, sin) = angles.split_at_mut(self.heads.head_dim / 2);
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(&self.frequencies) {
                let angle = batch.positions[row] as f32 * frequency;
                (*sin, *cos) = angle.sin_cos();
            }
        });
    }

    fn layer(&self, index: usize, layer: &Layer, step: &mut Step<'_>) {
        use Projection::{DownProj, GateProj, KProj, OProj, QProj, UpProj, VProj};
        let views = step.views;
        let member = |projection: Projection, shrunk: usize, y, accumulate| Member {
            linear: &layer.projections[projection.index()],
            place: Some((index, projection)),
            shrunk: views.shrunk[shrunk],
            y,
            accumulate,
        };
        let qkv = [
            member(QProj, 0, views.queries, false),
            member(KProj, 1, views.keys, false),
            member(VProj, 2, views.values, false),
        ];
        let output = member(OProj, 0, views.hidden, true);
        let gate = member(GateProj, 0, views.gate, false);
        let up = member(UpProj, 1, views.up, false);
        let down = member(DownProj, 0, views.hidden, true);

        self.norm(&layer.attention_norm, step);
        step.shrink(&qkv, views.normed);
        step.expect(index, &[OProj]);
        step.project(&qkv, views.normed);
        self.attend(index, layer, step);
        step.shrink(&[output], views.attended);
        step.expect(index, &[GateProj, UpProj]);
        step.project(&[output], views.attended);

        self.norm(&layer.mlp_norm, step);
        step.shrink(&[gate, up], views.normed);
        step.expect(index, &[DownProj]);
        step.gate([gate, up], views.normed);
        step.shrink(&[down], views.gate);
        step.expect(index + 1, &[QProj, KProj, VProj]);
        step.project(&[down], views.gate);
    }

    /// The residual stream's rows, normed.
    fn norm(&self, weight: &[f32], step: &mut Step<'_>) {
        let rows = step.batch.rows();
        let Step { views, pool, instructions, .. } = step;
        pool.run(rows.div_ceil(NORM_ROWS), &|task, _| {
            for row in task * NORM_ROWS..((task + 1) * NORM_ROWS).min(rows) {
                let (from, to) = ((views.hidden, row), (views.normed, row));
                instructions.run(Norm { from, to, weight, epsilon: self.epsilon });
            }
        });
    }

    fn attend(&self, index: usize, layer: &Layer, step: &mut Step<'_>) {
        let Step { batch, views, kv, pool, instructions, .. } = step;
        let (kv, kv_heads) = (kv.layer(index), self.heads.kv_heads);
        let turn = Turn {
            query_norm: layer.query_norm.as_deref(),
            key_norm: layer.key_norm.as_deref(),
            epsilon: self.epsilon,
            angles: views.angles,
        };
        pool.run(batch.sequences.len() * kv_heads, &|task, thread| {
            let sequence = &batch.sequences[task / kv_heads];
            instructions.run(Attend {
                kv,
                heads: self.heads,
                sequence,
                start: batch.positions[sequence.rows.start] as usize,
                head: task % kv_heads,
                turn,
                queries: views.queries,
                keys: views.keys,
                values: views.values,
                out: views.attended,
                // SAFETY: a thread runs one task at a time.
                scratch: unsafe { views.scratch.whole_row_mut(thread) },
            });
        });
    }

    /// The last rows, normed, through the output layer.
    fn finish(&self, step: &mut Step<'_>) {
        let Step { batch, views, pool, instructions, .. } = step;
        let mut wanted = 0;
        for row in batch.wanted_rows() {
            let (from, to) = ((views.hidden, row), (views.last, wanted));
            instructions.run(Norm { from, to, weight: &self.norm, epsilon: self.epsilon });
            wanted += 1;
        }
        if wanted == 0 {
            return;
        }
        let head = Member {
            linear: self.head.as_ref().unwrap_or(&self.embedding),
            place: None,
            shrunk: views.shrunk[0],
            y: views.logits,
            accumulate: false,
        };
        pool.run(head.units(), &|unit, thread| {
            // SAFETY: a thread runs one task at a time.
            let scratch = unsafe { views.scratch.whole_row_mut(thread) };
            instructions.run(Project {
                member: head,
                unit,
                x: views.last,
                rows: wanted,
                segments: &[],
                coming: &[],
                scratch,
            });
        });
    }
}

impl Step<'_> {
    /// Projections that share their input, adapters included, after their rows were shrunk.
    fn project(&mut self, members: &[Member<'_>], x: View<'_>) {
        let Self { batch, views, coming, pool, instructions, .. } = self;
        let (rows, segments) = (batch.rows(), batch.segments.as_slice());
        let tasks = members.iter().map(Member::units).sum();
        pool.run(tasks, &|task, thread| {
            let coming = part(coming, (task, tasks));
            let mut unit = task;
            for &member in members {
                if unit < member.units() {
                    // SAFETY: a thread runs one task at a time.
                    let scratch = unsafe { views.scratch.whole_row_mut(thread) };
                    return instructions.run(Project { member, unit, x, rows, segments, coming, scratch });
                }
                unit -= member.units();
            }
        });
    }

    /// The gate and the way up, and their product, after their rows were shrunk.
    fn gate(&mut self, [gate, up]: [Member<'_>; 2], x: View<'_>) {
        let Self { batch, views, coming, pool, instructions, .. } = self;
        let (rows, segments) = (batch.rows(), batch.segments.as_slice());
        let tasks = gate.units();
        pool.run(tasks, &|unit, thread| {
            let coming = part(coming, (unit, tasks));
            // SAFETY: a thread runs one task at a time.
            let scratch = unsafe { views.scratch.whole_row_mut(thread) };
            instructions.run(Gate { gate, up, unit, x, rows, segments, coming, scratch });
        });
    }

    /// `s · A x` for every segment that has an adapter; nothing at all when none has.
    fn shrink(&mut self, members: &[Member<'_>], x: View<'_>) {
        let Self { batch, pool, instructions, .. } = self;
        let segments = with_adapters(batch);
        let ranks = segments.iter().flat_map(|segment| &segment.adapter).map(|adapter| adapter.max_rank());
        let units = ranks.max().unwrap_or(0).div_ceil(UNIT_RANKS);
        pool.run(segments.len() * members.len() * units, &|task, _| {
            let (segment, rest) = (&segments[task / (members.len() * units)], task % (members.len() * units));
            let (member, unit) = (members[rest / units], rest % units);
            instructions.run(Shrink { segment, member, unit, x });
        });
    }

    /// Says what the next shrink will read, so that the region before it asks for that.
    fn expect(&mut self, layer: usize, projections: &[Projection]) {
        self.coming.clear();
        for adapter in with_adapters(self.batch).iter().filter_map(|segment| segment.adapter.as_ref()) {
            for delta in projections.iter().filter_map(|projection| adapter.delta(layer, *projection)) {
                self.coming.extend(Piece::of(delta.a.addresses(0..delta.a.len())));
            }
        }
    }
}

/// The segments that have an adapter: rows without one are the first, if there are any.
fn with_adapters(batch: &Batch<CpuAdapter>) -> &[Segment<CpuAdapter>] {
    match batch.segments.split_first() {
        Some((first, rest)) if first.adapter.is_none() => rest,
        _ => &batch.segments,
    }
}

/// One task's share of the pieces.
fn part(pieces: &[Piece], (task, tasks): (usize, usize)) -> &[Piece] {
    &pieces[pieces.len() * task / tasks..pieces.len() * (task + 1) / tasks]
}

/// One row's norm.
struct Norm<'a> {
    from: (View<'a>, usize),
    to: (View<'a>, usize),
    weight: &'a [f32],
    epsilon: f32,
}

impl Kernel for Norm<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let width = self.weight.len();
        // SAFETY: the row that is read was written in a region before, and the other is this task's.
        let (from, to) =
            unsafe { (self.from.0.row(self.from.1, width), self.to.0.row_mut(self.to.1, width)) };
        rms_norm::<L>(from, self.weight, self.epsilon, to);
    }
}
