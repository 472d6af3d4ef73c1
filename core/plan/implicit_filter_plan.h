// The plan of the fused implicit filter: tiles of time, slices of channels, where a block's sums of
// gradients lie, and how a tile's matrices lie in shared memory.
//
// A block takes kTileSteps time steps at a time through the whole network, so that no layer's
// output is ever in memory, and kChunk rows of a weight matrix. Every parameter's gradient is
// linear in that of the filter, so time and channels may be shared out among blocks: each sums its
// own part into a slot of the workspace, and the slots are added up, in order, by a second kernel.
//
// The kernels (core/kernels/cuda/implicit_filter*.cu) and their CPU test read the same functions.
// Nothing here depends on the device, so neither do the bits of a gradient.
#pragma once

#include "core/plan/ring_plan.h"  // LONGCONV_HOST_DEVICE

namespace longconv::plan {

inline constexpr int kTileSteps = 128;  ///< time steps of a tile
inline constexpr int kChunk = 64;       ///< rows of a weight matrix, or channels, at a time
/// Blocks to share the work out to: two on each multiprocessor of an H100 or H200.
inline constexpr int kSynthesisBlocks = 264;

LONGCONV_HOST_DEVICE constexpr long long round_up(long long x, long long unit) {
  return (x + unit - 1) / unit * unit;
}

/// Where element (row, column) of a matrix in shared memory lies, `stride` (a multiple of 32)
/// elements a row. Lane 4 g + q reads (g, q) of some tile for one operand of a product and (q, g)
/// of some tile for the other: here both meet every bank once. Four neighbours that begin at a
/// multiple of four stay together.
LONGCONV_HOST_DEVICE constexpr int bank_shift(int row) { return (row & 3) << 3 | (row & 4); }
LONGCONV_HOST_DEVICE constexpr int swizzled(int row, int column, int stride) {
  return row * stride + (column ^ bank_shift(row));
}

/// The sizes of one filter.
struct SynthesisShape {
  long long length;
  int features;  ///< E
  int width;     ///< F
  int layers;    ///< sines: M + 1
  long long channels;
};

/// How it is shared out, and the layout of a slot in floats:
///   freq, bias 0, bias 1, ..                       padded_width each
///   weight 0, 1, .. (out, in)                      padded_width rows of padded_width
///   the last weight's rows of this slice           slice_channels rows of padded_width
struct SynthesisPlan {
  int padded_width;     ///< 64 or 128
  int padded_features;  ///< a multiple of 8
  long long tiles;      ///< of time
  int time_blocks;      ///< blocks that share a slice's tiles: tile i belongs to i % time_blocks
  int slices;           ///< of the channels
  long long slice_channels;  ///< a multiple of kChunk
  int layers;
  [[nodiscard]] LONGCONV_HOST_DEVICE constexpr long long weight_at(int layer) const {
    return static_cast<long long>(layers + 1 + layer * padded_width) * padded_width;
  }
  [[nodiscard]] LONGCONV_HOST_DEVICE constexpr long long last_weight_at() const {
    return weight_at(layers);
  }
  [[nodiscard]] LONGCONV_HOST_DEVICE constexpr long long slot_floats() const {
    return last_weight_at() + slice_channels * padded_width;
  }
  [[nodiscard]] LONGCONV_HOST_DEVICE constexpr int slots() const { return time_blocks * slices; }
};

/// Channels are sliced only where tiles alone leave most blocks without work: each slice runs the
/// hidden layers again.
constexpr SynthesisPlan synthesis_plan(const SynthesisShape& s) {
  SynthesisPlan p{};
  p.padded_width = s.width <= 64 ? 64 : 128;
  p.padded_features = static_cast<int>(round_up(s.features, 8));
  p.tiles = (s.length + kTileSteps - 1) / kTileSteps;
  p.layers = s.layers;
  const long long chunks = (s.channels + kChunk - 1) / kChunk;
  const long long wanted = kSynthesisBlocks / 2 / p.tiles;
  const long long most = wanted < 1 ? 1 : (wanted < chunks ? wanted : chunks);
  const long long slice_chunks = (chunks + most - 1) / most;
  p.slice_channels = slice_chunks * kChunk;
  p.slices = static_cast<int>((chunks + slice_chunks - 1) / slice_chunks);
  const long long share = kSynthesisBlocks / p.slices < 1 ? 1 : kSynthesisBlocks / p.slices;
  p.time_blocks = static_cast<int>(p.tiles < share ? p.tiles : share);
  return p;
}

}  // namespace longconv::plan
