#include "core/kernels/cpu/long_conv_direct.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace longconv::kernels::cpu {
namespace {

// Outputs summed side by side: eight 128-bit or four 256-bit registers of floats.
constexpr std::int64_t kTile = 32;

/// A row of L values with readable zeros before and after, so that tiles need no edge cases.
template <class T>
class Row {
 public:
  explicit Row(std::int64_t length)
      : length_(length), storage_(static_cast<std::size_t>(length + 2 * kTile), T(0)) {}
  T* data() { return storage_.data() + kTile; }
  const T* data() const { return storage_.data() + kTile; }
  T& operator[](std::int64_t t) { return data()[t]; }
  T operator[](std::int64_t t) const { return data()[t]; }
  std::int64_t length() const { return length_; }
  void clear() { std::fill(storage_.begin(), storage_.end(), T(0)); }

 private:
  std::int64_t length_;
  std::vector<T> storage_;
};

/// to[t] = from[L-1-t]
template <class T>
void reverse_into(const Row<T>& from, Row<T>& to) {
  std::reverse_copy(from.data(), from.data() + from.length(), to.data());
}

/// out[t] += sum_{s < taps} a[s] x[t-s] for first <= t < n. x must be readable kTile before 0 and
/// after n. If not `wraps`, x[<0] is 0 and taps beyond t are skipped; if it does, x is readable
/// from 1 - taps on.
template <class T>
void add_convolution(T* out, std::int64_t first, std::int64_t n, const T* a, std::int64_t taps,
                     const T* x, bool wraps) {
  for (std::int64_t t0 = first; t0 < n; t0 += kTile) {
    const std::int64_t valid = std::min(kTile, n - t0);
    const std::int64_t last = wraps ? taps : std::min(taps, t0 + valid);
    T sum[kTile] = {};
    const T* window = x + t0;
    for (std::int64_t s = 0; s < last; ++s, --window) {
      const T weight = a[s];
      for (std::int64_t i = 0; i < kTile; ++i) {
        sum[i] += weight * window[i];
      }
    }
    for (std::int64_t i = 0; i < valid; ++i) {
      out[t0 + i] += sum[i];
    }
  }
}

/// The period of `row` written twice in a row, so that x[t-s] needs no modulo; returns x.
template <class T>
const T* unroll_period(const Row<T>& row, Row<T>& twice) {
  const std::int64_t length = row.length();
  std::copy_n(row.data(), length, twice.data());
  std::copy_n(row.data(), length, twice.data() + length);
  return twice.data() + length;
}

/// One channel's rows and the sums they enter. All correlations are convolutions of reversed rows:
/// with r(x)[t] = x[L-1-t], corr(k, g) = r(conv(k, r(g))) and dk[j] = conv(r(g), v)[L-1-j].
template <class T>
class Channel {
 public:
  explicit Channel(const LongConvArgs& args)
      : v(args.length),
        g(args.length),
        conv(args.length),
        dv(args.length),
        a_(args),
        taps_(std::min(args.taps, args.length)),
        wraps_(args.mode == ConvMode::circular),
        v_reversed_(args.length),
        g_reversed_(args.length),
        sums_(args.length),
        twice_(wraps_ ? 2 * args.length : 0) {
    const bool two_sided = args.mode == ConvMode::bidirectional || args.mode == ConvMode::conjugate;
    lag_ = args.mode == ConvMode::bidirectional ? 1 : 0;
    reverse_taps_ = two_sided ? std::min(args.reverse_taps, args.length - lag_) : 0;
  }

  Row<T> v;     ///< g_in * u
  Row<T> g;     ///< g_out * dy
  Row<T> conv;  ///< conv(k, v) + skip v
  Row<T> dv;    ///< gradient of v

  /// v from row (b, h) of the inputs.
  void load_v(std::int64_t b, std::int64_t h) {
    const T* u = row(a_.u, a_.u_batch_stride, b, h);
    const T* gate = row(a_.gate_in, a_.gate_in_batch_stride, b, h);
    for (std::int64_t t = 0; t < a_.length; ++t) {
      v[t] = gate ? u[t] * gate[t] : u[t];
    }
    if (reverse_taps_ > 0) {
      reverse_into(v, v_reversed_);
    }
  }

  void load_g(const T* dy, std::int64_t b, std::int64_t h) {
    const T* gate = row(a_.gate_out, a_.gate_out_batch_stride, b, h);
    for (std::int64_t t = 0; t < a_.length; ++t) {
      g[t] = gate ? dy[t] * gate[t] : dy[t];
    }
    reverse_into(g, g_reversed_);
  }

  /// conv from v, with filter c of channel h.
  void convolve(std::int64_t c, std::int64_t h) {
    const std::int64_t length = a_.length;
    const T weight = skip(c, h);
    for (std::int64_t t = 0; t < length; ++t) {
      conv[t] = weight * v[t];
    }
    add_convolution(conv.data(), 0, length, filter(c, h), taps_, periodic(v), wraps_);
    if (reverse_taps_ > 0) {
      sums_.clear();
      add_convolution(sums_.data(), 0, length - lag_, reverse_filter(c, h), reverse_taps_,
                      static_cast<const T*>(v_reversed_.data()), false);
      for (std::int64_t t = 0; t + lag_ < length; ++t) {
        conv[length - 1 - lag_ - t] += sums_[t];
      }
    }
  }

  /// dv += the transpose of convolve() applied to g.
  void add_dv(std::int64_t c, std::int64_t h) {
    const std::int64_t length = a_.length;
    const T weight = skip(c, h);
    sums_.clear();
    add_convolution(sums_.data(), 0, length, filter(c, h), taps_, periodic(g_reversed_), wraps_);
    for (std::int64_t t = 0; t < length; ++t) {
      dv[t] += weight * g[t] + sums_[length - 1 - t];
    }
    if (reverse_taps_ > 0) {
      add_convolution(dv.data() + lag_, 0, length - lag_, reverse_filter(c, h), reverse_taps_,
                      static_cast<const T*>(g.data()), false);
    }
  }

  /// dk[j] += sum_t g[t] v[t-j]
  void add_dk(T* dk) {
    const std::int64_t length = a_.length;
    const std::int64_t first = length - taps_;
    sums_.clear();
    add_convolution(sums_.data(), first, length, static_cast<const T*>(g_reversed_.data()), length,
                    periodic(v), wraps_);
    for (std::int64_t j = 0; j < taps_; ++j) {
      dk[j] += sums_[length - 1 - j];
    }
  }

  /// dk_reverse[j] += sum_t g[t] v[t+lag+j]
  void add_dk_reverse(T* dk) {
    const std::int64_t length = a_.length;
    const std::int64_t end = length - lag_;
    sums_.clear();
    add_convolution(sums_.data(), end - reverse_taps_, end,
                    static_cast<const T*>(v_reversed_.data()), length,
                    static_cast<const T*>(g.data()), false);
    for (std::int64_t j = 0; j < reverse_taps_; ++j) {
      dk[j] += sums_[end - 1 - j];
    }
  }

  T dskip() const {
    T sum = 0;
    for (std::int64_t t = 0; t < a_.length; ++t) {
      sum += g[t] * v[t];
    }
    return sum;
  }

  const T* row(const void* base, std::int64_t batch_stride, std::int64_t b, std::int64_t h) const {
    return base ? static_cast<const T*>(base) + b * batch_stride + h * a_.length : nullptr;
  }

 private:
  const T* periodic(const Row<T>& x) { return wraps_ ? unroll_period(x, twice_) : x.data(); }
  const T* filter(std::int64_t c, std::int64_t h) const {
    return static_cast<const T*>(a_.k) + (c * a_.channels + h) * a_.taps;
  }
  const T* reverse_filter(std::int64_t c, std::int64_t h) const {
    return static_cast<const T*>(a_.k_reverse) + (c * a_.channels + h) * a_.reverse_taps;
  }
  T skip(std::int64_t c, std::int64_t h) const {
    return a_.skip ? static_cast<const T*>(a_.skip)[c * a_.channels + h] : T(0);
  }

  const LongConvArgs& a_;
  std::int64_t taps_;
  std::int64_t reverse_taps_ = 0;
  std::int64_t lag_ = 0;  // of the reverse filter's first tap, into the future
  bool wraps_;
  Row<T> v_reversed_;
  Row<T> g_reversed_;
  Row<T> sums_;
  Row<T> twice_;
};

template <class T>
T* output_row(void* base, const LongConvArgs& a, std::int64_t b, std::int64_t c, std::int64_t h) {
  return static_cast<T*>(base) + ((b * a.filters + c) * a.channels + h) * a.length;
}

template <class T>
void forward_channel(const LongConvArgs& a, Channel<T>& channel, std::int64_t h) {
  for (std::int64_t b = 0; b < a.batch; ++b) {
    channel.load_v(b, h);
    const T* gate = channel.row(a.gate_out, a.gate_out_batch_stride, b, h);
    for (std::int64_t c = 0; c < a.filters; ++c) {
      channel.convolve(c, h);
      T* y = output_row<T>(a.y, a, b, c, h);
      for (std::int64_t t = 0; t < a.length; ++t) {
        y[t] = gate ? gate[t] * channel.conv[t] : channel.conv[t];
      }
    }
  }
}

/// Clears and returns row (c, h) of a filter's gradient, or nullptr if it is not wanted.
template <class T>
T* cleared(void* base, std::int64_t c, std::int64_t h, const LongConvArgs& a, std::int64_t taps) {
  if (base == nullptr) {
    return nullptr;
  }
  T* row = static_cast<T*>(base) + (c * a.channels + h) * taps;
  std::fill_n(row, taps, T(0));
  return row;
}

template <class T>
void backward_channel(const LongConvGradArgs& d, Channel<T>& channel, std::int64_t h) {
  const LongConvArgs& a = d.inputs;
  const auto gradient = [&](void* base, std::int64_t b) {
    return base ? static_cast<T*>(base) + (b * a.channels + h) * a.length : nullptr;
  };
  for (std::int64_t c = 0; c < a.filters; ++c) {
    cleared<T>(d.dk, c, h, a, a.taps);
    cleared<T>(d.dk_reverse, c, h, a, a.reverse_taps);
    cleared<T>(d.dskip, c, h, a, 1);
  }
  for (std::int64_t b = 0; b < a.batch; ++b) {
    channel.load_v(b, h);
    channel.dv.clear();
    T* dgate_out = gradient(d.dgate_out, b);
    if (dgate_out) {
      std::fill_n(dgate_out, a.length, T(0));
    }
    for (std::int64_t c = 0; c < a.filters; ++c) {
      const T* dy = output_row<T>(const_cast<void*>(d.dy), a, b, c, h);
      const std::int64_t filter = c * a.channels + h;
      channel.load_g(dy, b, h);
      if (dgate_out) {
        channel.convolve(c, h);
        for (std::int64_t t = 0; t < a.length; ++t) {
          dgate_out[t] += dy[t] * channel.conv[t];
        }
      }
      if (d.du || d.dgate_in) {
        channel.add_dv(c, h);
      }
      if (d.dk) {
        channel.add_dk(static_cast<T*>(d.dk) + filter * a.taps);
      }
      if (d.dk_reverse) {
        channel.add_dk_reverse(static_cast<T*>(d.dk_reverse) + filter * a.reverse_taps);
      }
      if (d.dskip) {
        static_cast<T*>(d.dskip)[filter] += channel.dskip();
      }
    }
    const T* u = channel.row(a.u, a.u_batch_stride, b, h);
    const T* gate_in = channel.row(a.gate_in, a.gate_in_batch_stride, b, h);
    T* du = gradient(d.du, b);
    T* dgate_in = gradient(d.dgate_in, b);
    for (std::int64_t t = 0; t < a.length; ++t) {
      if (du) {
        du[t] = gate_in ? gate_in[t] * channel.dv[t] : channel.dv[t];
      }
      if (dgate_in) {
        dgate_in[t] = u[t] * channel.dv[t];
      }
    }
  }
}

}  // namespace

template <class T>
void direct_forward(const LongConvArgs& args, Stream /*stream*/) {
#pragma omp parallel
  {
    Channel<T> channel(args);
#pragma omp for schedule(static)
    for (std::int64_t h = 0; h < args.channels; ++h) {
      forward_channel(args, channel, h);
    }
  }
}

template <class T>
void direct_backward(const LongConvGradArgs& args, Stream /*stream*/) {
#pragma omp parallel
  {
    Channel<T> channel(args.inputs);
#pragma omp for schedule(static)
    for (std::int64_t h = 0; h < args.inputs.channels; ++h) {
      backward_channel(args, channel, h);
    }
  }
}

template void direct_forward<float>(const LongConvArgs&, Stream);
template void direct_forward<double>(const LongConvArgs&, Stream);
template void direct_backward<float>(const LongConvGradArgs&, Stream);
template void direct_backward<double>(const LongConvGradArgs&, Stream);

}  // namespace longconv::kernels::cpu
