#include "core/kernels/cpu/short_conv.h"

#include <algorithm>
#include <array>

namespace longconv::kernels::cpu {
namespace {

constexpr std::int64_t kChannels = 16;  // a cache line of floats, where channels lie together
constexpr std::int64_t kTimes = 128;
constexpr std::int64_t kHalo = kMaxShortTaps - 1;

/// kChannels rows of kTimes steps with kHalo steps around them: 17 KB of floats.
template <class T>
struct Tile {
  static constexpr std::int64_t kRow = kTimes + kHalo;
  std::array<T, kChannels * kRow> values;
  T* row(std::int64_t c) { return values.data() + c * kRow; }
};

struct Range {
  std::int64_t first;
  std::int64_t count;
};

/// tile[c][i] = x[c0+c, first+i], 0 where that is outside [0, length).
template <class T>
void load(Tile<T>& tile, const T* x, std::int64_t channel_stride, std::int64_t time_stride,
          Range channels, Range times, std::int64_t length) {
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

template <class T>
const T* batch_of(const ShortConvArgs& a, std::int64_t b) {
  return static_cast<const T*>(a.u) + b * a.u_batch_stride;
}

template <class T>
void forward_channels(const ShortConvArgs& a, Range channels) {
  Tile<T> tile;
  const T* w = static_cast<const T*>(a.w);
  const T* bias = static_cast<const T*>(a.bias);
  for (std::int64_t b = 0; b < a.batch; ++b) {
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTimes) {
      const std::int64_t times = std::min(kTimes, a.length - t0);
      load(tile, batch_of<T>(a, b), a.u_channel_stride, a.u_time_stride, channels,
           {t0 - (a.taps - 1), times + a.taps - 1}, a.length);
      for (std::int64_t i = 0; i < channels.count; ++i) {
        const std::int64_t c = channels.first + i;
        T* y = static_cast<T*>(a.y) + (b * a.channels + c) * a.length + t0;
        slide(y, tile.row(i), w + c * a.taps, a.taps, bias ? bias[c] : T(0), times);
      }
    }
  }
}

template <class T>
void backward_channels(const ShortConvGradArgs& d, Range channels) {
  const ShortConvArgs& a = d.inputs;
  Tile<T> u_tile;
  Tile<T> dy_tile;
  std::array<T, kTimes> du_row;
  std::array<std::array<T, kMaxShortTaps>, kChannels> dw{};
  std::array<T, kChannels> dbias{};
  for (std::int64_t b = 0; b < a.batch; ++b) {
    const T* dy = static_cast<const T*>(d.dy) + b * a.channels * a.length;
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTimes) {
      const std::int64_t times = std::min(kTimes, a.length - t0);
      load(u_tile, batch_of<T>(a, b), a.u_channel_stride, a.u_time_stride, channels,
           {t0 - (a.taps - 1), times + a.taps - 1}, a.length);
      load(dy_tile, dy, a.length, 1, channels, {t0, times + a.taps - 1}, a.length);
      for (std::int64_t i = 0; i < channels.count; ++i) {
        const std::int64_t c = channels.first + i;
        const T* g = dy_tile.row(i);
        for (std::int64_t j = 0; j < a.taps; ++j) {
          T sum = 0;
          for (std::int64_t t = 0; t < times; ++t) {
            sum += g[t] * u_tile.row(i)[t + j];
          }
          dw[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] += sum;
        }
        for (std::int64_t t = 0; t < times; ++t) {
          dbias[static_cast<std::size_t>(i)] += g[t];
        }
        if (d.du != nullptr) {
          // du[s] = sum_j w[j] dy[s+(K-1)-j]: the taps in reverse order.
          std::array<T, kMaxShortTaps> reversed{};
          const T* w = static_cast<const T*>(a.w) + c * a.taps;
          std::reverse_copy(w, w + a.taps, reversed.begin());
          slide(du_row.data(), g, reversed.data(), a.taps, T(0), times);
          const bool channels_last = a.u_time_stride != 1;
          T* du = static_cast<T*>(d.du) + b * a.channels * a.length;
          for (std::int64_t t = 0; t < times; ++t) {
            const std::int64_t at =
                channels_last ? (t0 + t) * a.channels + c : c * a.length + t0 + t;
            du[at] = du_row[static_cast<std::size_t>(t)];
          }
        }
      }
    }
  }
  for (std::int64_t i = 0; i < channels.count; ++i) {
    const std::int64_t c = channels.first + i;
    if (d.dw != nullptr) {
      std::copy_n(dw[static_cast<std::size_t>(i)].begin(), a.taps,
                  static_cast<T*>(d.dw) + c * a.taps);
    }
    if (d.dbias != nullptr) {
      static_cast<T*>(d.dbias)[c] = dbias[static_cast<std::size_t>(i)];
    }
  }
}

template <class Work>
void over_channels(std::int64_t channels, Work work) {
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < channels; first += kChannels) {
    work(Range{first, std::min(kChannels, channels - first)});
  }
}

}  // namespace

template <class T>
void short_conv_forward(const ShortConvArgs& args, Stream /*stream*/) {
  over_channels(args.channels, [&](Range channels) { forward_channels<T>(args, channels); });
}

template <class T>
void short_conv_backward(const ShortConvGradArgs& args, Stream /*stream*/) {
  over_channels(args.inputs.channels,
                [&](Range channels) { backward_channels<T>(args, channels); });
}

std::int64_t short_conv_workspace_bytes(const ShortConvArgs& /*args*/) { return 0; }

template void short_conv_forward<float>(const ShortConvArgs&, Stream);
template void short_conv_forward<double>(const ShortConvArgs&, Stream);
template void short_conv_backward<float>(const ShortConvGradArgs&, Stream);
template void short_conv_backward<double>(const ShortConvGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
