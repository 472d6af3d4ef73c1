#include "core/kernels/cpu/short_conv.h"

#include "core/kernels/cpu/short_conv_tile.h"

#include <algorithm>
#include <array>

namespace longconv::kernels::cpu {
namespace {

template <class T>
const T* batch_of(const ShortConvArgs& a, std::int64_t b) {
  return static_cast<const T*>(a.u) + b * a.u_batch_stride;
}

template <class T>
void forward_channels(const ShortConvArgs& a, TileRange channels) {
  Tile<T> tile;
  const T* w = static_cast<const T*>(a.w);
  const T* bias = static_cast<const T*>(a.bias);
  for (std::int64_t b = 0; b < a.batch; ++b) {
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTileTimes) {
      const std::int64_t times = std::min(kTileTimes, a.length - t0);
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
void backward_channels(const ShortConvGradArgs& d, TileRange channels) {
  const ShortConvArgs& a = d.inputs;
  Tile<T> u_tile;
  Tile<T> dy_tile;
  std::array<T, kTileTimes> du_row;
  std::array<TapSums<T>, kTileChannels> sums;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    const T* dy = static_cast<const T*>(d.dy) + b * a.channels * a.length;
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTileTimes) {
      const std::int64_t times = std::min(kTileTimes, a.length - t0);
      load(u_tile, batch_of<T>(a, b), a.u_channel_stride, a.u_time_stride, channels,
           {t0 - (a.taps - 1), times + a.taps - 1}, a.length);
      load(dy_tile, dy, a.length, 1, channels, {t0, times + a.taps - 1}, a.length);
      for (std::int64_t i = 0; i < channels.count; ++i) {
        const std::int64_t c = channels.first + i;
        const T* g = dy_tile.row(i);
        sums[static_cast<std::size_t>(i)].add(g, u_tile.row(i), a.taps, times);
        if (d.du != nullptr) {
          slide_back(du_row.data(), g, static_cast<const T*>(a.w) + c * a.taps, a.taps, times);
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
    sums[static_cast<std::size_t>(i)].store(d.dw, d.dbias, channels.first + i, a.taps);
  }
}

}  // namespace

template <class T>
void short_conv_forward(const ShortConvArgs& args, Stream /*stream*/) {
  over_channels(args.channels, [&](TileRange channels) { forward_channels<T>(args, channels); });
}

template <class T>
void short_conv_backward(const ShortConvGradArgs& args, Stream /*stream*/) {
  over_channels(args.inputs.channels,
                [&](TileRange channels) { backward_channels<T>(args, channels); });
}

std::int64_t short_conv_workspace_bytes(const ShortConvArgs& /*args*/) { return 0; }

template void short_conv_forward<float>(const ShortConvArgs&, Stream);
template void short_conv_forward<double>(const ShortConvArgs&, Stream);
template void short_conv_backward<float>(const ShortConvGradArgs&, Stream);
template void short_conv_backward<double>(const ShortConvGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
