// Without smoothing a thread takes four taps, as many as a call of Philox has words. With it a
// block takes kTile taps of a row and, in shared memory, half a window around them for each of the
// averages it makes: one forward, two backward.
#include "core/kernels/cuda/check.h"
#include "core/kernels/cuda/tap_regulariser.h"
#include "core/plan/philox.h"

#include <algorithm>
#include <type_traits>

namespace longconv::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTile = 1024;
constexpr int kMaxHalo = kMaxSmoothWindow - 1;  // two half windows on each side

template <class T>
struct Call {
  const T* k;
  const T* dy;  ///< backward
  T* out;       ///< y or dk
  long long rows, taps;
  int window;
  bool drops;
  bool by_fours;  ///< every tensor begins where four taps may be read at once
  T lambda, scale;
  std::uint32_t below;
  unsigned long long seed;
};

template <class T>
Call<T> to_call(const TapRegulariserArgs& a) {
  Call<T> c{};
  c.k = static_cast<const T*>(a.k);
  c.out = static_cast<T*>(a.y);
  c.rows = a.rows;
  c.taps = a.taps;
  c.window = static_cast<int>(a.window);
  c.drops = a.dropout > 0.0;
  c.lambda = static_cast<T>(a.squash);
  c.scale = static_cast<T>(1.0 / (1.0 - a.dropout));
  c.below = plan::drop_below(a.dropout);
  c.seed = a.seed;
  return c;
}

template <class T>
__device__ T squashed(T m, T lambda) {
  const T rest = (m < T(0) ? -m : m) - lambda;
  return rest > T(0) ? (m < T(0) ? -rest : rest) : T(0) * m;  // a NaN stays one
}

template <class T>
__device__ T live(T m, T lambda, T dy) {
  return (m < T(0) ? -m : m) > lambda ? dy : T(0);
}

/// keep / (1 - p) of the tap at `place`.
template <class T>
__device__ T mask_at(const Call<T>& c, long long place) {
  if (!c.drops) return T(1);
  const plan::PhiloxWords words = plan::philox(static_cast<std::uint64_t>(place / 4), c.seed);
  const int i = static_cast<int>(place % 4);
  const std::uint32_t word = i == 0   ? words.word[0]
                             : i == 1 ? words.word[1]
                             : i == 2 ? words.word[2]
                                      : words.word[3];
  return word < c.below ? T(0) : c.scale;
}

template <class T>
struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) Four {
  T value[4];
};

template <class T, bool kBackward>
__global__ void __launch_bounds__(kThreads) plain_kernel(const Call<T> c) {
  const long long all = c.rows * c.taps;
  const long long i =
      4 * (static_cast<long long>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x));
  if (i >= all) return;
  const bool whole = i + 4 <= all && c.by_fours;
  Four<T> k{};
  Four<T> dy{};
  if (whole) {
    k = *reinterpret_cast<const Four<T>*>(c.k + i);
    if (kBackward) dy = *reinterpret_cast<const Four<T>*>(c.dy + i);
  } else {
    for (int j = 0; j < 4 && i + j < all; ++j) {
      k.value[j] = c.k[i + j];
      if (kBackward) dy.value[j] = c.dy[i + j];
    }
  }
  plan::PhiloxWords words{};
  if (c.drops) words = plan::philox(static_cast<std::uint64_t>(i / 4), c.seed);
  Four<T> out;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const T mask = !c.drops ? T(1) : words.word[j] < c.below ? T(0) : c.scale;
    out.value[j] =
        (kBackward ? live(k.value[j], c.lambda, dy.value[j]) : squashed(k.value[j], c.lambda)) *
        mask;
  }
  if (whole) {
    *reinterpret_cast<Four<T>*>(c.out + i) = out;
  } else {
    for (int j = 0; j < 4 && i + j < all; ++j) c.out[i + j] = out.value[j];
  }
}

/// The average around x[i + window / 2].
template <class T>
__device__ T average(const T* x, int i, int window) {
  T sum = T(0);
  for (int j = 0; j < window; ++j) sum += x[i + j];
  return sum / static_cast<T>(window);
}

template <class T, bool kBackward>
__global__ void __launch_bounds__(kThreads) smooth_kernel(const Call<T> c) {
  __shared__ T k[kTile + 2 * kMaxHalo];
  __shared__ T dm[kBackward ? kTile + kMaxHalo : 1];
  const long long tiles = (c.taps + kTile - 1) / kTile;
  const long long row = blockIdx.x / tiles;
  const long long first = blockIdx.x % tiles * kTile;
  const int half = c.window / 2;
  const int halo = kBackward ? 2 * half : half;
  for (int i = static_cast<int>(threadIdx.x); i < kTile + 2 * halo; i += kThreads) {
    const long long t = first - halo + i;
    k[i] = t >= 0 && t < c.taps ? c.k[row * c.taps + t] : T(0);
  }
  __syncthreads();
  if constexpr (kBackward) {
    for (int i = static_cast<int>(threadIdx.x); i < kTile + 2 * half; i += kThreads) {
      const long long t = first - half + i;
      T value = T(0);
      if (t >= 0 && t < c.taps) {
        const long long place = row * c.taps + t;
        value = live(average(k, i, c.window), c.lambda, c.dy[place]) * mask_at(c, place);
      }
      dm[i] = value;
    }
    __syncthreads();
  }
  for (int i = static_cast<int>(threadIdx.x); i < kTile; i += kThreads) {
    const long long t = first + i;
    if (t >= c.taps) break;
    const long long place = row * c.taps + t;
    c.out[place] = kBackward ? average(dm, i, c.window)  // an average is its own adjoint
                             : squashed(average(k, i, c.window), c.lambda) * mask_at(c, place);
  }
}

template <class T, bool kBackward>
void launch(Call<T> c, Stream stream) {
  const auto address = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p); };
  c.by_fours = (address(c.k) | address(c.dy) | address(c.out)) % alignof(Four<T>) == 0;
  const long long all = c.rows * c.taps;
  if (all == 0) return;
  const long long blocks = c.window > 1 ? c.rows * ((c.taps + kTile - 1) / kTile)
                                        : (all + 4 * kThreads - 1) / (4 * kThreads);
  if (blocks > 2147483647LL) {
    throw UnsupportedError("tap_regulariser: " + std::to_string(blocks) +
                           " blocks exceed a CUDA grid");
  }
  if (c.window > 1) {
    smooth_kernel<T, kBackward><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(c);
  } else {
    plain_kernel<T, kBackward><<<static_cast<unsigned>(blocks), kThreads, 0, stream>>>(c);
  }
  LONGCONV_CUDA_CHECK(cudaGetLastError());
}

template <class T>
void backward(const TapRegulariserGradArgs& d, Stream stream) {
  Call<T> c = to_call<T>(d.inputs);
  c.dy = static_cast<const T*>(d.dy);
  c.out = static_cast<T*>(d.dk);
  launch<T, true>(c, stream);
}

}  // namespace

void tap_regulariser_forward_f32(const TapRegulariserArgs& args, Stream stream) {
  launch<float, false>(to_call<float>(args), stream);
}
void tap_regulariser_forward_f64(const TapRegulariserArgs& args, Stream stream) {
  launch<double, false>(to_call<double>(args), stream);
}
void tap_regulariser_backward_f32(const TapRegulariserGradArgs& args, Stream stream) {
  backward<float>(args, stream);
}
void tap_regulariser_backward_f64(const TapRegulariserGradArgs& args, Stream stream) {
  backward<double>(args, stream);
}

}  // namespace longconv::kernels::cuda
