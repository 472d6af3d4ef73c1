#include "core/kernels/cpu/tap_regulariser.h"

#include "core/plan/philox.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace longconv::kernels::cpu {
namespace {

/// mean[t] = sum of x[t - w/2 .. t + w/2] / w, zeros outside.
template <class T>
void average(const T* x, T* mean, std::int64_t taps, std::int64_t window) {
  const std::int64_t half = window / 2;
  for (std::int64_t t = 0; t < taps; ++t) {
    T sum = 0;
    const std::int64_t last = std::min(taps - 1, t + half);
    for (std::int64_t i = std::max<std::int64_t>(0, t - half); i <= last; ++i) sum += x[i];
    mean[t] = sum / static_cast<T>(window);
  }
}

/// keep / (1 - p) of tap t of a row.
template <class T>
class Mask {
 public:
  explicit Mask(const TapRegulariserArgs& a)
      : args_(a),
        below_(plan::drop_below(a.dropout)),
        scale_(static_cast<T>(1 / (1 - a.dropout))) {}
  T operator()(std::int64_t row, std::int64_t t) {
    if (args_.dropout <= 0.0) return T(1);
    const auto place = static_cast<std::uint64_t>(row * args_.taps + t);
    if (place / 4 != counter_) {
      counter_ = place / 4;
      words_ = plan::philox(counter_, args_.seed);
    }
    return words_.word[place % 4] < below_ ? T(0) : scale_;
  }

 private:
  const TapRegulariserArgs& args_;
  std::uint32_t below_;
  T scale_;
  std::uint64_t counter_ = ~std::uint64_t{0};
  plan::PhiloxWords words_{};
};

template <class T>
T squash(T m, T lambda) {
  const T rest = std::abs(m) - lambda;
  return rest > 0 ? std::copysign(rest, m) : T(0) * m;  // a NaN stays one
}

}  // namespace

template <class T>
void tap_regulariser_forward(const TapRegulariserArgs& a, Stream /*stream*/) {
  const T* k = static_cast<const T*>(a.k);
  T* y = static_cast<T*>(a.y);
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < a.rows; ++row) {
    Mask<T> mask(a);
    T* out = y + row * a.taps;
    average(k + row * a.taps, out, a.taps, a.window);
    for (std::int64_t t = 0; t < a.taps; ++t) {
      out[t] = squash(out[t], static_cast<T>(a.squash)) * mask(row, t);
    }
  }
}

template <class T>
void tap_regulariser_backward(const TapRegulariserGradArgs& d, Stream /*stream*/) {
  const TapRegulariserArgs& a = d.inputs;
  const T* k = static_cast<const T*>(a.k);
  const T* dy = static_cast<const T*>(d.dy);
  T* dk = static_cast<T*>(d.dk);
#pragma omp parallel
  {
    std::vector<T> live(static_cast<std::size_t>(a.taps));  // dm
#pragma omp for schedule(static)
    for (std::int64_t row = 0; row < a.rows; ++row) {
      Mask<T> mask(a);
      const std::int64_t start = row * a.taps;
      average(k + start, live.data(), a.taps, a.window);
      for (std::int64_t t = 0; t < a.taps; ++t) {
        T& m = live[static_cast<std::size_t>(t)];
        m = std::abs(m) > static_cast<T>(a.squash) ? dy[start + t] * mask(row, t) : T(0);
      }
      average(live.data(), dk + start, a.taps, a.window);  // an average is its own adjoint
    }
  }
}

template void tap_regulariser_forward<float>(const TapRegulariserArgs&, Stream);
template void tap_regulariser_forward<double>(const TapRegulariserArgs&, Stream);
template void tap_regulariser_backward<float>(const TapRegulariserGradArgs&, Stream);
template void tap_regulariser_backward<double>(const TapRegulariserGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
