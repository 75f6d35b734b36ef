// What shrink and expand share: `y += B (scale · A x)` for rows of many adapters in one launch each.
//
// Rows of one adapter are tiles, and a block takes one tile, as in Punica's SGMV (arXiv:2310.18547); ranks
// differ without padding, as in S-LoRA (arXiv:2311.03285): blocks beyond an adapter's rank end at once. Where
// a number is added up depends on the widths alone, so a row's result is the same bits whatever else is in
// its tile or batch.
#pragma once

#include "numbers.h"

#define LORA_THREADS 256
#define LORA_WARPS (LORA_THREADS / WARP)

// What the adapter of a tile adds to a linear; one without rank if it has none, or if the tile has no rows.
DEVICE LoraSite site_of(const LoraTile &tile, u32 site) {
    if (tile.rows == 0 || tile.sites == 0) return LoraSite{0, 0, 0, 0.0f};
    const LoraSite found = at<const LoraSite>(tile.sites)[site];
    return found.a == 0 ? LoraSite{0, 0, 0, 0.0f} : found;
}

// A linear's entry; without an index, which would have the whole array copied to memory.
template <class Value> DEVICE Value of_member(const Value (&values)[LORA_MAX_MEMBERS], u32 member) {
    return member == 0 ? values[0] : member == 1 ? values[1] : values[2];
}

// A row's part of the scratch `[splits, h_rows, members, max_rank]`.
template <class Params> DEVICE float *h_row(const Params &p, u32 split, u32 row, u32 member) {
    return at<float>(p.h) + ((static_cast<u64>(split) * p.h_rows + row) * p.members + member) * p.max_rank;
}
