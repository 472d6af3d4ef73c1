// The short convolution from channels-last to time-last, with or without Hyena's first gate: the
// kernels behind short_conv_gate.cu and behind short_conv.cu where channels lie together.
//
//   s[b,c,t] = bias[c] + sum_j w[c,j] p[b,t-(K-1)+j,c]
//   plain[b,c,t] = s[b,c,t], c < P;   product[b,d,t] = s[b,P+d,t] s[b,P+D+d,t]
//
// Channels-last memory is read and written by words: a warp's 32 lanes hold one time step of 128
// bytes of channels, a whole line, and walk kRun steps, taps and sums in registers. Time-last
// memory is read and written by 16-byte chunks of time steps, which cross between the two walks
// through a tile in shared memory. A lane's channel i = lane * kWord + e sits in the tile's row e *
// 32 + lane, and rows are an odd number of chunks apart: eight lanes with eight neighbouring
// channels, and eight neighbouring chunks of a row, both meet all 32 banks once.
#pragma once

#include "core/kernels/cuda/short_conv_elements.cuh"

#include <algorithm>
#include <cstdint>

namespace longconv::kernels::cuda::tile {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr int kRun = 16;               // time steps a warp walks
constexpr int kTimes = kWarps * kRun;  // of a tile
constexpr int kTilesPerBlock = 4;      // backward: tiles that share one partial sum
constexpr int kStretch = 8;  // backward: steps of a run whose words are in registers at once

template <class T>
constexpr int kChannels = 32 * kWord<T>;  // of a tile

/// A tile's rows of kTimes + kBeyond steps, in chunks.
template <class T, int kBeyond>
struct Tile {
  static constexpr int kChunks = (kTimes + kBeyond + kChunk<T> - 1) / kChunk<T>;
  static constexpr int kPitch = kChunks | 1;
  static constexpr int kSize = kChannels<T> * kPitch;  // chunks
};

/// What one call needs. P plain channels, D gated ones; either may be 0.
template <class T>
struct Call {
  const T* p = nullptr;      // p[b, t, c] at b * batch_stride + t * time_stride + c
  const float* w = nullptr;  // [P + 2 D, K]
  const float* bias = nullptr;
  T* plain = nullptr;         // [B, P, L]; backward: its gradient, only read
  T* product = nullptr;       // [B, D, L]; likewise
  T* dp = nullptr;            // backward: [B, L, P + 2 D], or nullptr
  float* partials = nullptr;  // backward: [B * segments, kTaps + 1, P + 2 D], or nullptr
  long long batch_stride = 0, time_stride = 0;
  int plain_channels = 0, gated_channels = 0;
  int length = 0;
  int segments = 0;  // of time, in a batch element: tiles, or kTilesPerBlock of them
  int taps = 0;
  int plain_blocks = 0, channel_blocks = 0;
  bool words = false;   // p, dp: every word of channels is aligned
  bool chunks = false;  // plain, product: every chunk of time steps is aligned
};

/// Which part of the call a block has: channel blocks are neighbours, so that blocks that run
/// together read whole rows of p.
struct Place {
  long long batch;
  int segment;
  int first, count;  // channels of plain or of product: the block's first, and all
  bool gated;
};
template <class T>
__device__ inline Place place_of(const Call<T>& a) {
  const int id = static_cast<int>(blockIdx.x);
  const int block = id % a.channel_blocks;
  const int rest = id / a.channel_blocks;
  const bool gated = block >= a.plain_blocks;
  return {rest / a.segments, rest % a.segments,
          (gated ? block - a.plain_blocks : block) * kChannels<T>,
          gated ? a.gated_channels : a.plain_channels, gated};
}

/// One lane's word of channels of p, and of dp, through the time of one batch element.
template <class T>
struct Column {
  const T* p;
  T* dp;
  long long time_stride;
  long long dp_stride;
  int length;
  int channel;  // of p
  int valid;    // channels of the word that are there: 0 .. kWord
  bool whole;   // one access reads or writes it

  __device__ Column(const Call<T>& a, const Place& place, int part, int lane) {
    const int own = place.first + lane * kWord<T>;
    channel = part + own;
    valid = min(max(place.count - own, 0), kWord<T>);
    // A part may begin between words (D odd).
    whole = a.words && valid == kWord<T> && channel % kWord<T> == 0;
    length = a.length;
    time_stride = a.time_stride;
    dp_stride = a.plain_channels + 2LL * a.gated_channels;
    p = a.p + place.batch * a.batch_stride + channel;
    dp = a.dp == nullptr ? nullptr : a.dp + place.batch * a.length * dp_stride + channel;
  }

  /// `at` is p at time t: whoever walks adds time_stride.
  __device__ std::uint32_t load(const T* at, int t) const {
    if (static_cast<unsigned>(t) >= static_cast<unsigned>(length) || valid == 0) {
      return 0;
    }
    if (whole) {
      return __ldg(reinterpret_cast<const std::uint32_t*>(at));
    }
    float x[kWord<T>];
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      x[e] = e < valid ? to_float(at[e]) : 0.0f;
    }
    return to_word<T>(x);
  }
  template <int kCount>
  __device__ void load(std::uint32_t (&words)[kCount], int first) const {
    const T* at = p + first * time_stride;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      words[i] = load(at, first + i);
      at += time_stride;
    }
  }

  __device__ void store_dp(T* at, int t, const float (&x)[kWord<T>]) const {
    if (t >= length || valid == 0) {
      return;
    }
    if (whole) {
      *reinterpret_cast<std::uint32_t*>(at) = to_word<T>(x);
      return;
    }
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      if (e < valid) {
        at[e] = from_float<T>(x[e]);
      }
    }
  }
};

/// Taps and bias of a lane's channels.
template <class T, int kTaps>
struct Taps {
  float w[kWord<T>][kTaps];
  float bias[kWord<T>];

  __device__ Taps(const Call<T>& a, const Column<T>& column) {
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      const bool there = e < column.valid;
      load_taps(w[e], a.w, column.channel + e, there, a.taps);
      bias[e] = a.bias != nullptr && there ? a.bias[column.channel + e] : 0.0f;
    }
  }
  /// s at words[kTaps - 1], of kTaps words in a row.
  __device__ void convolve(float (&s)[kWord<T>], const std::uint32_t* words) const {
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      s[e] = bias[e];
    }
#pragma unroll
    for (int j = 0; j < kTaps; ++j) {
      float x[kWord<T>];
      from_word<T>(x, words[j]);
#pragma unroll
      for (int e = 0; e < kWord<T>; ++e) {
        s[e] += w[e][j] * x[e];
      }
    }
  }
};

// ---- forward -----------------------------------------------------------------------------------

/// Writes a tile's rows to y [channels, L] of one batch element.
template <class T>
__device__ inline void store_rows(const Call<T>& a, T* y, const uint4* tile, int first, int count,
                                  int t0) {
  using Rows = Tile<T, 0>;
  if (a.chunks) {
    for (int n = threadIdx.x; n < kChannels<T> * Rows::kChunks; n += kThreads) {
      const int i = n / Rows::kChunks;
      const int chunk = n % Rows::kChunks;
      const long long channel = first + i;
      const int t = t0 + chunk * kChunk<T>;
      if (channel < count && t < a.length) {
        const int row = i % kWord<T> * 32 + i / kWord<T>;
        *reinterpret_cast<uint4*>(y + channel * a.length + t) = tile[row * Rows::kPitch + chunk];
      }
    }
    return;
  }
  for (int n = threadIdx.x; n < kChannels<T> * kTimes; n += kThreads) {
    const int i = n / kTimes;
    const int step = n % kTimes;
    const long long channel = first + i;
    if (channel < count && t0 + step < a.length) {
      const int row = i % kWord<T> * 32 + i / kWord<T>;
      y[channel * a.length + t0 + step] =
          reinterpret_cast<const T*>(tile + row * Rows::kPitch)[step];
    }
  }
}

template <class T, int kTaps, bool kGated>
__device__ inline void forward_tile(const Call<T>& a, const Place& place, uint4* tile) {
  using Rows = Tile<T, 0>;
  constexpr int kWords = kRun + kTaps - 1;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int t0 = place.segment * kTimes;
  const int begin = t0 + warp * kRun;
  const Column<T> first(a, place, kGated ? a.plain_channels : 0, lane);
  const Column<T> second(a, place, kGated ? a.plain_channels + a.gated_channels : 0, lane);

  // Every load of the walk is on its way before the first is used.
  std::uint32_t x[kWords];
  std::uint32_t v[kWords];
  first.load(x, begin - (kTaps - 1));
  if constexpr (kGated) {
    second.load(v, begin - (kTaps - 1));
  }
  const Taps<T, kTaps> x_taps(a, first);
  const Taps<T, kTaps> v_taps(a, kGated ? second : first);
#pragma unroll
  for (int chunk = 0; chunk < kRun / kChunk<T>; ++chunk) {
    float out[kWord<T>][kChunk<T>];
#pragma unroll
    for (int i = 0; i < kChunk<T>; ++i) {
      const int step = chunk * kChunk<T> + i;
      float s[kWord<T>];
      x_taps.convolve(s, x + step);
      if constexpr (kGated) {
        float other[kWord<T>];
        v_taps.convolve(other, v + step);
#pragma unroll
        for (int e = 0; e < kWord<T>; ++e) {
          s[e] *= other[e];
        }
      }
#pragma unroll
      for (int e = 0; e < kWord<T>; ++e) {
        out[e][i] = s[e];
      }
    }
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      tile[(e * 32 + lane) * Rows::kPitch + warp * (kRun / kChunk<T>)+chunk] = to_chunk<T>(out[e]);
    }
  }
  __syncthreads();
  T* y = kGated ? a.product : a.plain;
  store_rows(a, y + place.batch * place.count * a.length, tile, place.first, place.count, t0);
}

/// Block: one tile of channels and time steps. Its branches are the same for every thread. Calls
/// without a gate have a kernel of their own, which needs fewer registers.
template <class T, int kTaps, bool kGates>
__global__ void __launch_bounds__(kThreads) forward_kernel(const Call<T> a) {
  __shared__ uint4 tile[Tile<T, 0>::kSize];
  const Place place = place_of(a);
  if constexpr (kGates) {
    if (place.gated) {
      return forward_tile<T, kTaps, true>(a, place, tile);
    }
  }
  forward_tile<T, kTaps, false>(a, place, tile);
}

// ---- backward ----------------------------------------------------------------------------------

/// Reads rows of dy [channels, L] of one batch element into a tile, zeros outside.
template <class T, int kTaps>
__device__ inline void load_rows(const Call<T>& a, const T* dy, uint4* tile, int first, int count,
                                 int t0) {
  using Rows = Tile<T, kTaps - 1>;
  for (int n = threadIdx.x; n < kChannels<T> * Rows::kChunks; n += kThreads) {
    const int i = n / Rows::kChunks;
    const int chunk = n % Rows::kChunks;
    const long long channel = first + i;
    const int t = t0 + chunk * kChunk<T>;
    uint4 value = make_uint4(0, 0, 0, 0);
    if (channel < count && t < a.length) {
      const T* at = dy + channel * a.length + t;
      if (a.chunks) {
        value = __ldg(reinterpret_cast<const uint4*>(at));
      } else {
        float x[kChunk<T>];
#pragma unroll
        for (int e = 0; e < kChunk<T>; ++e) {
          x[e] = t + e < a.length ? to_float(at[e]) : 0.0f;
        }
        value = to_chunk<T>(x);
      }
    }
    tile[(i % kWord<T> * 32 + i / kWord<T>)*Rows::kPitch + chunk] = value;
  }
}

/// Sums of a lane's channels over the steps its warp has walked.
template <class T, int kTaps>
struct Sums {
  float dw[kWord<T>][kTaps] = {};
  float dbias[kWord<T>] = {};

  __device__ void add(const float (&ds)[kWord<T>], const std::uint32_t* words) {
#pragma unroll
    for (int j = 0; j < kTaps; ++j) {
      float x[kWord<T>];
      from_word<T>(x, words[j]);
#pragma unroll
      for (int e = 0; e < kWord<T>; ++e) {
        dw[e][j] += ds[e] * x[e];
      }
    }
#pragma unroll
    for (int e = 0; e < kWord<T>; ++e) {
      dbias[e] += ds[e];
    }
  }

  static constexpr int kFloats = kWarps * (kTaps + 1) * kChannels<T>;

  /// Adds the warps' sums in their order; `all` has kFloats. Every thread of the block calls it.
  __device__ void store(const Call<T>& a, const Place& place, int part, float* all) const {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    __syncthreads();  // `all` is the tile's memory
#pragma unroll
    for (int j = 0; j <= kTaps; ++j) {
#pragma unroll
      for (int e = 0; e < kWord<T>; ++e) {
        all[(warp * (kTaps + 1) + j) * kChannels<T> + e * 32 + lane] =
            j < kTaps ? dw[e][j < kTaps ? j : 0] : dbias[e];
      }
    }
    __syncthreads();
    const long long channels = a.plain_channels + 2LL * a.gated_channels;
    const long long set = place.batch * a.segments + place.segment;
    for (int n = threadIdx.x; n < (kTaps + 1) * kChannels<T>; n += kThreads) {
      const int j = n / kChannels<T>;
      const int i = n % kChannels<T>;  // of the block's channels
      if (place.first + i >= place.count) {
        continue;
      }
      const int at = j * kChannels<T> + i % kWord<T> * 32 + i / kWord<T>;
      float sum = 0.0f;
      for (int other = 0; other < kWarps; ++other) {
        sum += all[other * (kTaps + 1) * kChannels<T> + at];
      }
      a.partials[(set * (kTaps + 1) + j) * channels + part + place.first + i] = sum;
    }
  }
};

/// dp[t] = sum_j w[j] ds[t+(K-1)-j] from ds at kTaps steps in a row, the first at t.
template <class T, int kTaps, int kSteps>
__device__ inline void spread(float (&dp)[kWord<T>], const Taps<T, kTaps>& taps,
                              const float (&ds)[kWord<T>][kSteps], int t) {
#pragma unroll
  for (int e = 0; e < kWord<T>; ++e) {
    dp[e] = 0.0f;
#pragma unroll
    for (int j = 0; j < kTaps; ++j) {
      dp[e] += taps.w[e][j] * ds[e][t + kTaps - 1 - j];
    }
  }
}

/// Walks kStretch steps of a tile from `step` on; `tile` holds the gradient's rows from t0 on.
template <class T, int kTaps, bool kGated>
__device__ inline void backward_stretch(int t0, int step, const uint4* tile,
                                        const Column<T> (&columns)[2],
                                        const Taps<T, kTaps> (&taps)[2],
                                        Sums<T, kTaps> (&sums)[2]) {
  using Rows = Tile<T, kTaps - 1>;
  constexpr int kHalo = kTaps - 1;
  constexpr int kSteps = kStretch + kHalo;                  // of ds
  constexpr int kWords = kGated ? kSteps + kHalo : kSteps;  // of p
  constexpr int kRead = (kSteps + kChunk<T> - 1) / kChunk<T>;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int begin = t0 + step;

  std::uint32_t x[kWords];
  std::uint32_t v[kGated ? kWords : 1];
  columns[0].load(x, begin - kHalo);
  if constexpr (kGated) {
    columns[1].load(v, begin - kHalo);
  }
  float ds[kWord<T>][kRead * kChunk<T>];
#pragma unroll
  for (int e = 0; e < kWord<T>; ++e) {
#pragma unroll
    for (int chunk = 0; chunk < kRead; ++chunk) {
      from_chunk<T>(ds[e] + chunk * kChunk<T>,
                    tile[(e * 32 + lane) * Rows::kPitch + step / kChunk<T> + chunk]);
    }
  }

  const bool wants_dp = columns[0].dp != nullptr;
  T* dp_x = wants_dp ? columns[0].dp + begin * columns[0].dp_stride : nullptr;
  T* dp_v = wants_dp ? columns[1].dp + begin * columns[1].dp_stride : nullptr;
  // Step i: the gradients of s there (beyond the stretch for dp alone), then dp kHalo steps before.
  float other[kGated ? kWord<T> : 1][kRead * kChunk<T>];
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    if constexpr (kGated) {
      float s_x[kWord<T>];
      float s_v[kWord<T>];
      taps[0].convolve(s_x, x + i);
      taps[1].convolve(s_v, v + i);
#pragma unroll
      for (int e = 0; e < kWord<T>; ++e) {
        other[e][i] = ds[e][i] * s_x[e];  // of v: dproduct times x
        ds[e][i] *= s_v[e];               // of x: dproduct times v
      }
    }
    if (i < kStretch) {
      float now[kWord<T>];
#pragma unroll
      for (int e = 0; e < kWord<T>; ++e) {
        now[e] = ds[e][i];
      }
      sums[0].add(now, x + i);
      if constexpr (kGated) {
#pragma unroll
        for (int e = 0; e < kWord<T>; ++e) {
          now[e] = other[e][i];
        }
        sums[1].add(now, v + i);
      }
    }
    if (i >= kHalo && wants_dp) {
      float dp[kWord<T>];
      spread<T, kTaps>(dp, taps[0], ds, i - kHalo);
      columns[0].store_dp(dp_x, begin + i - kHalo, dp);
      dp_x += columns[0].dp_stride;
      if constexpr (kGated) {
        spread<T, kTaps>(dp, taps[1], other, i - kHalo);
        columns[1].store_dp(dp_v, begin + i - kHalo, dp);
        dp_v += columns[1].dp_stride;
      }
    }
  }
}

template <class T, int kTaps, bool kGated>
__device__ inline void backward_block(const Call<T>& a, const Place& place, uint4* tile) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first_part = kGated ? a.plain_channels : 0;
  const int second_part = kGated ? a.plain_channels + a.gated_channels : 0;
  const Column<T> columns[2] = {{a, place, first_part, lane}, {a, place, second_part, lane}};
  const Taps<T, kTaps> taps[2] = {{a, columns[0]}, {a, columns[1]}};
  Sums<T, kTaps> sums[2];
  const T* dy = (kGated ? a.product : a.plain) + place.batch * place.count * a.length;
  for (int k = 0; k < kTilesPerBlock; ++k) {
    const int t0 = (place.segment * kTilesPerBlock + k) * kTimes;
    if (t0 >= a.length) {
      break;  // the same for every thread
    }
    __syncthreads();  // nobody reads the last tile any more
    load_rows<T, kTaps>(a, dy, tile, place.first, place.count, t0);
    __syncthreads();
    const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll 1
    for (int step = warp * kRun; step < (warp + 1) * kRun; step += kStretch) {
      backward_stretch<T, kTaps, kGated>(t0, step, tile, columns, taps, sums);
    }
  }
  if (a.partials != nullptr) {
    sums[0].store(a, place, first_part, reinterpret_cast<float*>(tile));
    if constexpr (kGated) {
      sums[1].store(a, place, second_part, reinterpret_cast<float*>(tile));
    }
  }
}

/// Blocks that share a multiprocessor, backward: as many as registers allow without spilling (4
/// gated taps spill up to 36 bytes, for twice the warps).
template <int kTaps, bool kGates>
constexpr int kBlocks = kGates ? (kTaps <= 4 ? 2 : 1) : (kTaps <= 3 ? 3 : 2);

/// Block: kTilesPerBlock tiles, one after another, of one batch element and tile of channels.
template <class T, int kTaps, bool kGates>
__global__ void __launch_bounds__(kThreads, kBlocks<kTaps, kGates>)
    backward_kernel(const Call<T> a) {
  constexpr int kSumChunks = Sums<T, kTaps>::kFloats / 4;
  constexpr int kTileChunks = Tile<T, kTaps - 1>::kSize;
  __shared__ uint4 tile[kSumChunks > kTileChunks ? kSumChunks : kTileChunks];
  const Place place = place_of(a);
  if constexpr (kGates) {
    if (place.gated) {
      return backward_block<T, kTaps, true>(a, place, tile);
    }
  }
  backward_block<T, kTaps, false>(a, place, tile);
}

// ---- launches ----------------------------------------------------------------------------------

inline bool is_aligned(const void* pointer, std::size_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

/// Fills in what follows from the rest of the call.
template <class T>
void complete(Call<T>& a, int tiles_per_segment) {
  a.segments =
      static_cast<int>(ceil_div(a.length, static_cast<long long>(kTimes) * tiles_per_segment));
  a.plain_blocks = static_cast<int>(ceil_div(a.plain_channels, kChannels<T>));
  a.channel_blocks = a.plain_blocks + static_cast<int>(ceil_div(a.gated_channels, kChannels<T>));
  const long long all = a.plain_channels + 2LL * a.gated_channels;
  a.words = is_aligned(a.p, 4) && is_aligned(a.dp, 4) && a.batch_stride % kWord<T> == 0 &&
            a.time_stride % kWord<T> == 0 && all % kWord<T> == 0;
  a.chunks = is_aligned(a.plain, 16) && is_aligned(a.product, 16) && a.length % kChunk<T> == 0;
}

inline long long backward_segments(long long length) {
  return ceil_div(length, static_cast<long long>(kTimes) * kTilesPerBlock);
}

/// kGates: whether any channels are gated.
template <bool kGates, class T>
void forward(Call<T> a, long long batch, Stream stream) {
  complete(a, 1);
  const unsigned grid = short_conv_grid(batch * a.segments * a.channel_blocks);
  with_kernel_taps(a.taps, [&]<int kTaps>() {
    forward_kernel<T, kTaps, kGates><<<grid, kThreads, 0, stream>>>(a);
  });
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <bool kGates, class T>
void backward(Call<T> a, long long batch, float* dw, float* dbias, Stream stream) {
  complete(a, kTilesPerBlock);
  const unsigned grid = short_conv_grid(batch * a.segments * a.channel_blocks);
  with_kernel_taps(a.taps, [&]<int kTaps>() {
    backward_kernel<T, kTaps, kGates><<<grid, kThreads, 0, stream>>>(a);
  });
  LONGCONV_CUDA_CHECK(cudaGetLastError());
  if (a.partials != nullptr) {
    short_conv_reduce(a.partials, batch * a.segments, a.plain_channels + 2LL * a.gated_channels,
                      a.taps, dw, dbias, stream);
  }
}

}  // namespace longconv::kernels::cuda::tile
