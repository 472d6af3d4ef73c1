// Tiles of channels and time for short convolutions on the CPU, and the loops over one row.
#pragma once

#include "core/kernels/short_conv.h"

#include <algorithm>
#include <array>

namespace longconv::kernels::cpu {

inline constexpr std::int64_t kTileChannels =
    16;  // a cache line of floats, where channels lie together
inline constexpr std::int64_t kTileTimes = 128;
inline constexpr std::int64_t kTileHalo = kMaxShortTaps - 1;

/// kTileChannels rows of kTileTimes steps with kTileHalo steps around them: 17 KB of floats.
template <class T>
struct Tile {
  static constexpr std::int64_t kRow = kTileTimes + kTileHalo;
  std::array<T, kTileChannels * kRow> values;
  T* row(std::int64_t c) { return values.data() + c * kRow; }
};

struct TileRange {
  std::int64_t first;
  std::int64_t count;
};

/// tile[c][i] = x[c0+c, first+i], 0 where that is outside [0, length).
template <class T>
void load(Tile<T>& tile, const T* x, std::int64_t channel_stride, std::int64_t time_stride,
          TileRange channels, TileRange times, std::int64_t length) {
  const std::int64_t begin = std::clamp<std::int64_t>(-times.first, 0, times.count);
  const std::int64_t end = std::clamp<std::int64_t>(length - times.first, begin, times.count);
  for (std::int64_t c = 0; c < channels.count; ++c) {
    std::fill_n(tile.row(c), begin, T(0));
    std::fill_n(tile.row(c) + end, times.count - end, T(0));
  }
  const T* base = x + channels.first * channel_stride;
  if (time_stride == 1) {
    for (std::int64_t c = 0; c < channels.count; ++c) {
      std::copy_n(base + c * channel_stride + times.first + begin, end - begin,
                  tile.row(c) + begin);
    }
    return;
  }
  for (std::int64_t i = begin; i < end; ++i) {
    const T* step = base + (times.first + i) * time_stride;
    for (std::int64_t c = 0; c < channels.count; ++c) {
      tile.row(c)[i] = step[c * channel_stride];
    }
  }
}

/// out[t] = start + sum_j weights[j] row[t+j]
template <class T>
void slide(T* out, const T* row, const T* weights, std::int64_t taps, T start, std::int64_t times) {
  for (std::int64_t t = 0; t < times; ++t) {
    out[t] = start;
  }
  for (std::int64_t j = 0; j < taps; ++j) {
    for (std::int64_t t = 0; t < times; ++t) {
      out[t] += weights[j] * row[t + j];
    }
  }
}

/// One channel's gradients of taps and bias.
template <class T>
struct TapSums {
  std::array<T, kMaxShortTaps> dw{};
  T dbias = 0;
  /// Adds those of `times` steps of dy and of u, which begins taps - 1 steps earlier.
  void add(const T* dy, const T* u, std::int64_t taps, std::int64_t times) {
    for (std::int64_t j = 0; j < taps; ++j) {
      T sum = 0;
      for (std::int64_t t = 0; t < times; ++t) {
        sum += dy[t] * u[t + j];
      }
      dw[static_cast<std::size_t>(j)] += sum;
    }
    for (std::int64_t t = 0; t < times; ++t) {
      dbias += dy[t];
    }
  }
  /// Writes those of channel c to [C, K] and [C], where they are wanted.
  void store(void* all_dw, void* all_dbias, std::int64_t c, std::int64_t taps) const {
    if (all_dw != nullptr) {
      std::copy_n(dw.begin(), taps, static_cast<T*>(all_dw) + c * taps);
    }
    if (all_dbias != nullptr) {
      static_cast<T*>(all_dbias)[c] = dbias;
    }
  }
};

/// du[t] = sum_j w[j] dy[t+(K-1)-j] for `times` steps: the taps in reverse order.
template <class T>
void slide_back(T* du, const T* dy, const T* w, std::int64_t taps, std::int64_t times) {
  std::array<T, kMaxShortTaps> reversed{};
  std::reverse_copy(w, w + taps, reversed.begin());
  slide(du, dy, reversed.data(), taps, T(0), times);
}

/// Calls work(range) for ranges of kTileChannels channels, in parallel.
template <class Work>
void over_channels(std::int64_t channels, Work work) {
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < channels; first += kTileChannels) {
    work(TileRange{first, std::min(kTileChannels, channels - first)});
  }
}

}  // namespace longconv::kernels::cpu
