//! The decoder of all served families as a row of kernels, asked for without waiting for any. How many there are depends on
//! the model, on whether any row has an adapter, and on whether a past is long; never on how many adapters there are.
//!
//! Nothing is allocated and no address changes from step to step, so a step of decoding rows can be captured as a CUDA graph:
//! [`Tables::fill`](super::tables::Tables::fill) and the copy stay outside of it, `forward` inside, and a graph serves all
//! steps with the same lengths of tables, once rows, tiles and wanted rows are filled up to a few sizes with what the kernels
//! skip (rows with `NO_SLOT`, tiles and combined rows without rows). Block tables and ranks are rounded up already.

use tenora_kernels::{
    abi::{
        AddBiasParams, AddRmsNormParams, ArgmaxParams, AttentionCombineParams, Element, GatherRowsParams,
        LORA_MAX_MEMBERS, LoraExpandParams, LoraShrinkParams, PagedAttentionParams, RmsNormParams,
        RopeAndStoreParams, RopeAnglesParams, SiluMulParams, TopKParams, launch,
    },
    plan::lora_splits,
};

use super::{
    gpu::{Gpu, GpuError, Product},
    tables::{StepTables, Wave},
    weights::{LayerPlaces, Places},
    workspace::{Buffers, GROUPS},
};
use crate::model::{ModelConfig, Projection};

/// Launches a kernel; its shape follows from its parameters.
macro_rules! launch {
    ($step:expr, $kernel:ident, $params:expr) => {{
        let params = $params;
        // SAFETY: the parameters are this kernel's; addresses are those of weights, workspace, tables and keys, all of which
        // live as long as the runner and were made for the largest step, which the tables' limits hold this one to.
        unsafe { $step.gpu.launch(&launch::$kernel(&params, $step.element), &params) }
    }};
}

/// One step in progress.
pub(super) struct Step<'a, G> {
    pub(super) gpu: &'a G,
    pub(super) model: &'a ModelConfig,
    pub(super) element: Element,
    pub(super) weights: &'a Places,
    pub(super) buffers: Buffers,
    pub(super) tables: &'a StepTables,
    /// Most rows that the workspace has room for.
    pub(super) most_rows: usize,
    /// Address of all layers' keys and values, and bytes of one layer's keys.
    pub(super) kv: (u64, u64),
}

/// A matrix of the workspace: its address, and numbers from row to row.
#[derive(Clone, Copy)]
struct Matrix {
    address: u64,
    stride: usize,
}

impl<G: Gpu> Step<'_, G> {
    /// Leaves in the workspace the logits of each sequence that wants any, and the largest of those that want no others.
    pub(super) fn forward(&self, between: &mut dyn FnMut()) -> Result<(), GpuError> {
        self.begin()?;
        for (index, layer) in self.weights.layers.iter().enumerate() {
            between();
            self.attention_block(index, layer)?;
            self.mlp_block(index, layer)?;
            if let Some(next) = self.weights.layers.get(index + 1) {
                self.add_norm(next.attention_norm)?;
            }
        }
        self.finish()
    }

    fn rows(&self) -> u32 {
        self.tables.rows as u32
    }

    fn hidden(&self) -> usize {
        self.model.hidden_size
    }

    /// The place of a projection's output in a group's buffer, which holds all of them side by side.
    fn member(&self, group: &[Projection], member: usize, buffer: u64) -> Matrix {
        let outputs = |projection: &Projection| self.model.projection_dims(*projection).1;
        let before: usize = group[..member].iter().map(outputs).sum();
        let stride = group.iter().map(outputs).sum();
        Matrix { address: buffer + (before * self.element.bytes()) as u64, stride }
    }

    /// Embeddings, angles, and the first norm.
    fn begin(&self) -> Result<(), GpuError> {
        let Self { buffers, tables, model, .. } = self;
        launch!(
            self,
            gather_rows,
            GatherRowsParams {
                table: self.weights.embedding,
                index: tables.tokens,
                out: buffers.residual,
                rows: self.rows(),
                width: self.hidden() as u32,
            }
        )?;
        let angles = RopeAnglesParams {
            positions: tables.positions,
            frequencies: self.weights.frequencies,
            angles: buffers.angles,
            rows: self.rows(),
            half: (model.head_dim / 2) as u32,
        };
        // SAFETY: as in `launch!`.
        unsafe { self.gpu.launch(&launch::rope_angles(&angles), &angles) }?;
        let Some(first) = self.weights.layers.first() else { return Ok(()) };
        launch!(
            self,
            rms_norm,
            RmsNormParams {
                x: buffers.residual,
                weight: first.attention_norm,
                out: buffers.normed,
                index: 0,
                rows: self.rows(),
                width: self.hidden() as u32,
                epsilon: model.rms_norm_eps as f32,
            }
        )
    }

    fn attention_block(&self, index: usize, layer: &LayerPlaces) -> Result<(), GpuError> {
        let buffers = &self.buffers;
        let normed = Matrix { address: buffers.normed, stride: self.hidden() };
        self.project(index, GROUPS[0], layer.qkv, (normed, buffers.qkv))?;
        self.rope_and_store(index, layer)?;
        for wave in &self.tables.waves {
            self.attend(index, wave)?;
        }
        let attended = Matrix { address: buffers.attended, stride: self.model.heads * self.model.head_dim };
        self.project(index, GROUPS[1], layer.output, (attended, buffers.delta))?;
        self.add_bias(layer, GROUPS[1], buffers.delta)?;
        self.add_norm(layer.mlp_norm)
    }

    fn mlp_block(&self, index: usize, layer: &LayerPlaces) -> Result<(), GpuError> {
        let buffers = &self.buffers;
        let normed = Matrix { address: buffers.normed, stride: self.hidden() };
        self.project(index, GROUPS[2], layer.gate_up, (normed, buffers.gate_up))?;
        self.add_bias(layer, GROUPS[2], buffers.gate_up)?;
        let (gate, up) =
            (self.member(GROUPS[2], 0, buffers.gate_up), self.member(GROUPS[2], 1, buffers.gate_up));
        launch!(
            self,
            silu_mul,
            SiluMulParams {
                gate: gate.address,
                up: up.address,
                out: gate.address,
                rows: self.rows(),
                width: self.model.intermediate_size as u32,
                gate_stride: gate.stride as u32,
                up_stride: up.stride as u32,
                out_stride: gate.stride as u32,
            }
        )?;
        self.project(index, GROUPS[3], layer.down, (gate, buffers.delta))?;
        self.add_bias(layer, GROUPS[3], buffers.delta)
    }

    /// A group's projections side by side, adapters included.
    fn project(
        &self,
        layer: usize,
        group: &[Projection],
        weight: u64,
        (x, y): (Matrix, u64),
    ) -> Result<(), GpuError> {
        let (inputs, _) = self.model.projection_dims(group[0]);
        let outputs = self.member(group, 0, y).stride;
        let product = Product {
            x: x.address,
            x_stride: x.stride,
            w: weight,
            y,
            y_stride: outputs,
            rows: self.tables.rows,
            inputs,
            outputs,
            element: self.element,
            result: self.element,
        };
        // SAFETY: as in `launch!`.
        unsafe { self.gpu.multiply(&product) }?;
        if self.tables.lora.len == 0 { Ok(()) } else { self.adapt(layer, group, (x, y)) }
    }

    /// `s · B (A x)` for every row that has an adapter.
    fn adapt(&self, layer: usize, group: &[Projection], (x, y): (Matrix, u64)) -> Result<(), GpuError> {
        let (inputs, _) = self.model.projection_dims(group[0]);
        let shrink = LoraShrinkParams {
            x: x.address,
            h: self.buffers.shrunk,
            tiles: self.tables.lora.address,
            tile_count: self.tables.lora.len,
            site: (layer * Projection::ALL.len() + group[0].index()) as u32,
            members: group.len() as u32,
            inputs: inputs as u32,
            x_stride: x.stride as u32,
            h_rows: self.most_rows as u32,
            max_rank: self.tables.max_rank as u32,
            splits: lora_splits(inputs) as u32,
        };
        launch!(self, lora_shrink, shrink)?;
        let mut expand = LoraExpandParams {
            h: shrink.h,
            tiles: shrink.tiles,
            y: [0; LORA_MAX_MEMBERS],
            outputs: [0; LORA_MAX_MEMBERS],
            y_stride: [0; LORA_MAX_MEMBERS],
            tile_count: shrink.tile_count,
            site: shrink.site,
            members: shrink.members,
            h_rows: shrink.h_rows,
            max_rank: shrink.max_rank,
            splits: shrink.splits,
        };
        for (member, projection) in group.iter().enumerate() {
            let place = self.member(group, member, y);
            expand.y[member] = place.address;
            expand.y_stride[member] = place.stride as u32;
            expand.outputs[member] = self.model.projection_dims(*projection).1 as u32;
        }
        launch!(self, lora_expand, expand)
    }

    /// Biases other than those of queries, keys and values, which are added where heads are turned.
    fn add_bias(&self, layer: &LayerPlaces, group: &[Projection], y: u64) -> Result<(), GpuError> {
        for (member, projection) in group.iter().enumerate() {
            let (bias, place) = (layer.biases[projection.index()], self.member(group, member, y));
            if bias != 0 {
                launch!(
                    self,
                    add_bias,
                    AddBiasParams {
                        y: place.address,
                        bias,
                        rows: self.rows(),
                        width: self.model.projection_dims(*projection).1 as u32,
                        y_stride: place.stride as u32,
                    }
                )?;
            }
        }
        Ok(())
    }

    fn rope_and_store(&self, index: usize, layer: &LayerPlaces) -> Result<(), GpuError> {
        let [q, k, v] = [0, 1, 2].map(|member| self.member(GROUPS[0], member, self.buffers.qkv));
        let [q_bias, k_bias, v_bias, ..] = layer.biases;
        let [key_pool, value_pool] = self.pools(index);
        launch!(
            self,
            rope_and_store,
            RopeAndStoreParams {
                q: q.address,
                k: k.address,
                v: v.address,
                q_bias,
                k_bias,
                v_bias,
                q_norm: layer.query_norm,
                k_norm: layer.key_norm,
                angles: self.buffers.angles,
                slots: self.tables.slots,
                key_pool,
                value_pool,
                rows: self.rows(),
                heads: self.model.heads as u32,
                kv_heads: self.model.kv_heads as u32,
                head_dim: self.model.head_dim as u32,
                q_stride: q.stride as u32,
                k_stride: k.stride as u32,
                v_stride: v.stride as u32,
                epsilon: self.model.rms_norm_eps as f32,
            }
        )
    }

    /// One layer's keys and values.
    fn pools(&self, layer: usize) -> [u64; 2] {
        let (start, side) = self.kv;
        let keys = start + 2 * layer as u64 * side;
        [keys, keys + side]
    }

    fn attend(&self, layer: usize, wave: &Wave) -> Result<(), GpuError> {
        let Self { buffers, model, .. } = self;
        let queries = self.member(GROUPS[0], 0, buffers.qkv);
        let [key_pool, value_pool] = self.pools(layer);
        let out_stride = (model.heads * model.head_dim) as u32;
        launch!(
            self,
            paged_attention,
            PagedAttentionParams {
                q: queries.address,
                out: buffers.attended,
                key_pool,
                value_pool,
                block_tables: wave.block_tables,
                tiles: wave.tiles.address,
                partial_out: buffers.partial_out,
                partial_stats: buffers.partial_stats,
                tile_count: wave.tiles.len,
                heads: model.heads as u32,
                kv_heads: model.kv_heads as u32,
                head_dim: model.head_dim as u32,
                q_stride: queries.stride as u32,
                out_stride,
                max_blocks: self.tables.max_blocks as u32,
                scale: 1.0 / (model.head_dim as f32).sqrt(),
            }
        )?;
        if wave.combined.len == 0 {
            return Ok(());
        }
        launch!(
            self,
            attention_combine,
            AttentionCombineParams {
                rows: wave.combined.address,
                partial_out: buffers.partial_out,
                partial_stats: buffers.partial_stats,
                out: buffers.attended,
                row_count: wave.combined.len,
                heads: model.heads as u32,
                head_dim: model.head_dim as u32,
                out_stride,
            }
        )
    }

    /// A block's output into the residual stream, and the next one's norm.
    fn add_norm(&self, weight: u64) -> Result<(), GpuError> {
        self.add_norm_of((0, self.rows()), weight, self.buffers.normed)
    }

    fn add_norm_of(&self, (index, rows): (u64, u32), weight: u64, out: u64) -> Result<(), GpuError> {
        launch!(
            self,
            add_rms_norm,
            AddRmsNormParams {
                residual: self.buffers.residual,
                delta: self.buffers.delta,
                weight,
                out,
                index,
                rows,
                width: self.hidden() as u32,
                epsilon: self.model.rms_norm_eps as f32,
            }
        )
    }

    /// The last rows, normed, through the output layer.
    fn finish(&self) -> Result<(), GpuError> {
        let last = self.tables.last;
        if last.len == 0 {
            return Ok(());
        }
        self.add_norm_of((last.address, last.len), self.weights.norm, self.buffers.last)?;
        let product = Product {
            x: self.buffers.last,
            x_stride: self.hidden(),
            w: self.weights.head,
            y: self.buffers.logits,
            y_stride: self.model.vocab_size,
            rows: last.len as usize,
            inputs: self.hidden(),
            outputs: self.model.vocab_size,
            element: self.element,
            result: Element::F32,
        };
        // SAFETY: as in `launch!`.
        unsafe { self.gpu.multiply(&product) }?;
        self.find_largest()
    }

    fn find_largest(&self) -> Result<(), GpuError> {
        let (top, logits) = (self.tables.top, self.buffers.logits);
        let (rows, vocab, places) =
            (top.rows as u32, self.model.vocab_size as u32, top.places(self.buffers.top));
        if rows == 0 {
            return Ok(());
        }
        if top.is_greedy() {
            let params = ArgmaxParams { logits, summaries: places.summaries, rows, vocab, stride: vocab };
            // SAFETY: as in `launch!`.
            return unsafe { self.gpu.launch(&launch::argmax(&params, Element::F32), &params) };
        }
        let params = TopKParams {
            logits,
            inverse_temperatures: 0,
            ids: places.tokens,
            values: places.logits,
            summaries: places.summaries,
            rows,
            vocab,
            stride: vocab,
            k: top.count as u32,
        };
        // SAFETY: as in `launch!`.
        unsafe { self.gpu.launch(&launch::top_k(&params, Element::F32), &params) }
    }
}
