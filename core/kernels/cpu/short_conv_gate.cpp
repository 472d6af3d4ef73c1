#include "core/kernels/cpu/short_conv_gate.h"

#include "core/kernels/cpu/short_conv_tile.h"

#include <algorithm>
#include <array>

namespace longconv::kernels::cpu {
namespace {

/// Backward, the gate's factors are wanted taps - 1 steps beyond the tile.
constexpr std::int64_t kGateTimes = kTileTimes - kTileHalo;

std::int64_t all_channels(const ShortConvGateArgs& a) { return (a.order + 1) * a.channels; }
std::int64_t gate_channels(const ShortConvGateArgs& a) { return (a.order - 1) * a.channels; }

/// p[b] from time `first` on, for channels of p.
template <class T>
void load_projection(Tile<T>& tile, const ShortConvGateArgs& a, std::int64_t b, TileRange channels,
                     TileRange times) {
  const std::int64_t wide = all_channels(a);
  load(tile, static_cast<const T*>(a.p) + b * a.length * wide, 1, wide, channels, times, a.length);
}

/// s[c, first ..] from a tile's row that begins taps - 1 steps earlier.
template <class T>
void convolve(T* out, const T* row, const ShortConvGateArgs& a, std::int64_t c,
              std::int64_t times) {
  const T* bias = static_cast<const T*>(a.bias);
  slide(out, row, static_cast<const T*>(a.w) + c * a.taps, a.taps, bias ? bias[c] : T(0), times);
}

template <class T>
void forward_gates(const ShortConvGateArgs& a, TileRange channels) {
  Tile<T> tile;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTileTimes) {
      const std::int64_t times = std::min(kTileTimes, a.length - t0);
      load_projection(tile, a, b, channels, {t0 - (a.taps - 1), times + a.taps - 1});
      for (std::int64_t i = 0; i < channels.count; ++i) {
        const std::int64_t c = channels.first + i;
        T* out = static_cast<T*>(a.gates) + (b * gate_channels(a) + c) * a.length + t0;
        convolve(out, tile.row(i), a, c, times);
      }
    }
  }
}

template <class T>
void forward_product(const ShortConvGateArgs& a, TileRange channels) {
  const std::int64_t x = gate_channels(a) + channels.first;
  const std::int64_t v = x + a.channels;
  Tile<T> x_tile;
  Tile<T> v_tile;
  std::array<T, kTileTimes> v_row;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTileTimes) {
      const std::int64_t times = std::min(kTileTimes, a.length - t0);
      const TileRange past = {t0 - (a.taps - 1), times + a.taps - 1};
      load_projection(x_tile, a, b, {x, channels.count}, past);
      load_projection(v_tile, a, b, {v, channels.count}, past);
      for (std::int64_t i = 0; i < channels.count; ++i) {
        T* out = static_cast<T*>(a.product) + (b * a.channels + channels.first + i) * a.length + t0;
        convolve(out, x_tile.row(i), a, x + i, times);
        convolve(v_row.data(), v_tile.row(i), a, v + i, times);
        for (std::int64_t t = 0; t < times; ++t) {
          out[t] *= v_row[static_cast<std::size_t>(t)];
        }
      }
    }
  }
}

/// What ds, from t0 on, gives p and the sums; `row` of p begins taps - 1 steps earlier.
template <class T>
void backward_row(const ShortConvGateGradArgs& d, TapSums<T>& sums, const T* ds, const T* row,
                  std::int64_t b, std::int64_t c, TileRange times) {
  const ShortConvGateArgs& a = d.inputs;
  sums.add(ds, row, a.taps, times.count);
  if (d.dp == nullptr) {
    return;
  }
  std::array<T, kTileTimes> dp_row;
  slide_back(dp_row.data(), ds, static_cast<const T*>(a.w) + c * a.taps, a.taps, times.count);
  const std::int64_t wide = all_channels(a);
  T* dp = static_cast<T*>(d.dp) + (b * a.length + times.first) * wide + c;
  for (std::int64_t t = 0; t < times.count; ++t) {
    dp[t * wide] = dp_row[static_cast<std::size_t>(t)];
  }
}

template <class T>
void backward_gates(const ShortConvGateGradArgs& d, TileRange channels) {
  const ShortConvGateArgs& a = d.inputs;
  Tile<T> p_tile;
  Tile<T> ds_tile;
  std::array<TapSums<T>, kTileChannels> sums;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    const T* ds = static_cast<const T*>(d.dgates) + b * gate_channels(a) * a.length;
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kTileTimes) {
      const std::int64_t times = std::min(kTileTimes, a.length - t0);
      load_projection(p_tile, a, b, channels, {t0 - (a.taps - 1), times + a.taps - 1});
      load(ds_tile, ds, a.length, 1, channels, {t0, times + a.taps - 1}, a.length);
      for (std::int64_t i = 0; i < channels.count; ++i) {
        backward_row(d, sums[static_cast<std::size_t>(i)], ds_tile.row(i), p_tile.row(i), b,
                     channels.first + i, {t0, times});
      }
    }
  }
  for (std::int64_t i = 0; i < channels.count; ++i) {
    sums[static_cast<std::size_t>(i)].store(d.dw, d.dbias, channels.first + i, a.taps);
  }
}

template <class T>
void backward_product(const ShortConvGateGradArgs& d, TileRange channels) {
  const ShortConvGateArgs& a = d.inputs;
  const std::int64_t halo = a.taps - 1;
  const std::int64_t x = gate_channels(a) + channels.first;
  const std::int64_t v = x + a.channels;
  Tile<T> x_tile;
  Tile<T> v_tile;
  Tile<T> dproduct_tile;
  std::array<T, kTileTimes> dx_row;
  std::array<T, kTileTimes> dv_row;
  std::array<TapSums<T>, kTileChannels> x_sums;
  std::array<TapSums<T>, kTileChannels> v_sums;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    const T* dproduct = static_cast<const T*>(d.dproduct) + b * a.channels * a.length;
    for (std::int64_t t0 = 0; t0 < a.length; t0 += kGateTimes) {
      const std::int64_t times = std::min(kGateTimes, a.length - t0);
      load_projection(x_tile, a, b, {x, channels.count}, {t0 - halo, times + 2 * halo});
      load_projection(v_tile, a, b, {v, channels.count}, {t0 - halo, times + 2 * halo});
      load(dproduct_tile, dproduct, a.length, 1, channels, {t0, times + halo}, a.length);
      for (std::int64_t i = 0; i < channels.count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        // The product rule: each factor times the gradient is the other's.
        convolve(dv_row.data(), x_tile.row(i), a, x + i, times + halo);
        convolve(dx_row.data(), v_tile.row(i), a, v + i, times + halo);
        for (std::int64_t t = 0; t < times + halo; ++t) {
          dx_row[static_cast<std::size_t>(t)] *= dproduct_tile.row(i)[t];
          dv_row[static_cast<std::size_t>(t)] *= dproduct_tile.row(i)[t];
        }
        backward_row(d, x_sums[at], dx_row.data(), x_tile.row(i), b, x + i, {t0, times});
        backward_row(d, v_sums[at], dv_row.data(), v_tile.row(i), b, v + i, {t0, times});
      }
    }
  }
  for (std::int64_t i = 0; i < channels.count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    x_sums[at].store(d.dw, d.dbias, x + i, a.taps);
    v_sums[at].store(d.dw, d.dbias, v + i, a.taps);
  }
}

}  // namespace

template <class T>
void short_conv_gate_forward(const ShortConvGateArgs& args, Stream /*stream*/) {
  over_channels(gate_channels(args), [&](TileRange channels) { forward_gates<T>(args, channels); });
  over_channels(args.channels, [&](TileRange channels) { forward_product<T>(args, channels); });
}

template <class T>
void short_conv_gate_backward(const ShortConvGateGradArgs& args, Stream /*stream*/) {
  over_channels(gate_channels(args.inputs),
                [&](TileRange channels) { backward_gates<T>(args, channels); });
  over_channels(args.inputs.channels,
                [&](TileRange channels) { backward_product<T>(args, channels); });
}

std::int64_t short_conv_gate_workspace_bytes(const ShortConvGateArgs& /*args*/) { return 0; }

template void short_conv_gate_forward<float>(const ShortConvGateArgs&, Stream);
template void short_conv_gate_forward<double>(const ShortConvGateArgs&, Stream);
template void short_conv_gate_backward<float>(const ShortConvGateGradArgs&, Stream);
template void short_conv_gate_backward<double>(const ShortConvGateGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
