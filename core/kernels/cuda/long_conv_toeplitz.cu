// y = g_out * (T v + skip v), v = g_in * u, with T[t,s] the filter's weight of lag t - s, on tensor
// cores.
//
// A block owns one channel and a tile of batch rows: Y (rows x L) = V (rows x L) T^T. T is never
// built: the operand that multiplies one chunk of inputs into one chunk of outputs depends on their
// distance alone. Exactly causal: no output reads a later input. Work is L^2 / 2 products a row, or
// L K where K < L.

#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/long_conv_toeplitz.h"
#include "core/kernels/cuda/toeplitz_launch.cuh"
#include "core/kernels/cuda/toeplitz_product.cuh"

namespace longconv::kernels::cuda {
namespace toeplitz {
namespace {

template <class T, int kRows, Access kAccess, bool kPlain, bool kTwoSided>
__global__ void __launch_bounds__(kThreads, kPlain ? 3 : 2)
    forward_kernel(const ApplyArgs<T> call, const FilterRows filter) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ int exponent[kRows];
  uint4* const tiles = reinterpret_cast<uint4*>(memory);  // this one and the next
  const int chunks = padded_length(call.length) / kChunk;
  const TapTable table{reinterpret_cast<uint2*>(memory + 2 * kTileBytes), kTwoSided ? chunks : 1,
                       chunks};
  float* const taps = reinterpret_cast<float*>(table.end());

  // A block's share of all tiles, those of a channel next to each other.
  const std::int64_t parts = (call.batch + kRows - 1) / kRows;
  const Share share(call.channels * parts);
  const auto place = [&](std::int64_t i) {
    const std::int64_t first = i % parts * kRows;
    return TilePlace{first, i / parts,
                     static_cast<int>(min(std::int64_t{kRows}, call.batch - first))};
  };
  const TileRows<T, kRows, kAccess, !kPlain> rows(call.in, call.length);
  if (share.begin < share.end) {
    fetch_taps(taps, filter, place(share.begin).h);
    rows.fetch(tiles, place(share.begin));
  }
  ProductInputs in{};
  in.exponent = exponent;
  in.taps = table;
  in.reach = filter.taps - 1;
  in.at.h = -1;
  for (std::int64_t i = share.begin; i < share.end; ++i) {
    uint4* const tile = tiles + (i - share.begin) % 2 * kTileUnits;
    copies_wait<0>();
    __syncthreads();
    const bool new_channel = place(i).h != in.at.h;
    in.at = place(i);
    in.tile = tile;
    if (new_channel) in.tap_exponent = table.template fill<false>(filter.copied(taps));
    rows.convert(tile, in.at, exponent);
    __syncthreads();
    if (i + 1 < share.end) {
      const TilePlace next = place(i + 1);
      if (next.h != in.at.h) fetch_taps(taps, filter, next.h);
      rows.fetch(tiles + (i + 1 - share.begin) % 2 * kTileUnits, next);
    }
    apply_tile<T, kRows, kAccess, kPlain, kTwoSided, false>(call, in);
  }
}

template <class T>
void forward(const LongConvArgs& args, Stream stream) {
  if (args.channels == 0 || args.batch == 0 || args.length == 0) return;
  const FilterRows filter(args);
  forward_with<T>(args, [&](const ApplyArgs<T>& call, std::int64_t /*c*/, bool /*mirrored*/) {
    with_shape(call.length, call.by_vectors(), call.is_plain() && call.in.b == nullptr,
               args.mode != ConvMode::causal,
               [&]<int kRows, Access kAccess, bool kPlain, bool kTwoSided>() {
                 const auto kernel = forward_kernel<T, kRows, kAccess, kPlain, kTwoSided>;
                 launch(kernel, call.channels * ((call.batch + kRows - 1) / kRows),
                        2 * kTileBytes + tap_bytes(filter, kTwoSided), stream, call, filter);
               });
  });
}

}  // namespace
}  // namespace toeplitz

void toeplitz_forward_bf16(const LongConvArgs& args, Stream stream) {
  toeplitz::forward<__nv_bfloat16>(args, stream);
}
void toeplitz_forward_f16(const LongConvArgs& args, Stream stream) {
  toeplitz::forward<__half>(args, stream);
}

}  // namespace longconv::kernels::cuda
