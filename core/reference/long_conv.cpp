#include "core/reference/long_conv.h"

#include <cstddef>

namespace longconv::reference {
namespace {

/// Which taps weigh the present t for the sample at s: index into k and k_reverse, or -1.
struct Taps {
  std::int64_t forward = -1;
  std::int64_t reverse = -1;
};

Taps taps_for(const LongConv& x, std::int64_t t, std::int64_t s) {
  const std::int64_t lag = t - s;
  Taps at;
  if (x.mode == ConvMode::circular) {
    at.forward = (lag + x.length) % x.length;
  } else if (lag >= 0) {
    at.forward = lag;
  }
  if (x.mode == ConvMode::bidirectional && lag < 0) {
    at.reverse = -lag - 1;
  }
  if (x.mode == ConvMode::conjugate && lag <= 0) {
    at.reverse = -lag;
  }
  at.forward = at.forward < x.taps ? at.forward : -1;
  at.reverse = at.reverse < x.reverse_taps ? at.reverse : -1;
  return at;
}

std::size_t index(std::int64_t a, std::int64_t size_b, std::int64_t b, std::int64_t size_c,
                  std::int64_t c) {
  return static_cast<std::size_t>((a * size_b + b) * size_c + c);
}

/// Where (b, c, h, t) and its neighbours lie in the vectors.
struct Place {
  const LongConv& x;
  std::int64_t b, c, h;
  std::size_t signal(std::int64_t t) const { return index(b, x.channels, h, x.length, t); }
  std::size_t output(std::int64_t t) const {
    return index(b * x.filters + c, x.channels, h, x.length, t);
  }
  std::size_t tap(std::int64_t j) const { return index(c, x.channels, h, x.taps, j); }
  std::size_t reverse_tap(std::int64_t j) const {
    return index(c, x.channels, h, x.reverse_taps, j);
  }
  std::size_t skip() const { return index(c, x.channels, h, 1, 0); }
};

double value_or(const std::vector<double>& x, std::size_t i, double otherwise) {
  return x.empty() ? otherwise : x[i];
}

double v_at(const LongConv& x, const Place& at, std::int64_t t) {
  return value_or(x.gate_in, at.signal(t), 1.0) * x.u[at.signal(t)];
}

/// conv(k, v)[t] + skip v[t]
double sum_at(const LongConv& x, const Place& at, std::int64_t t) {
  double sum = value_or(x.skip, at.skip(), 0.0) * v_at(x, at, t);
  for (std::int64_t s = 0; s < x.length; ++s) {
    const Taps taps = taps_for(x, t, s);
    double weight = 0.0;
    if (taps.forward >= 0) {
      weight += x.k[at.tap(taps.forward)];
    }
    if (taps.reverse >= 0) {
      weight += x.k_reverse[at.reverse_tap(taps.reverse)];
    }
    sum += weight * v_at(x, at, s);
  }
  return sum;
}

template <class Body>
void for_each_row(const LongConv& x, Body body) {
  for (std::int64_t b = 0; b < x.batch; ++b) {
    for (std::int64_t c = 0; c < x.filters; ++c) {
      for (std::int64_t h = 0; h < x.channels; ++h) {
        body(Place{x, b, c, h});
      }
    }
  }
}

}  // namespace

std::vector<double> long_conv(const LongConv& x) {
  std::vector<double> y(static_cast<std::size_t>(x.batch * x.filters * x.channels * x.length));
  for_each_row(x, [&](const Place& at) {
    for (std::int64_t t = 0; t < x.length; ++t) {
      y[at.output(t)] = value_or(x.gate_out, at.signal(t), 1.0) * sum_at(x, at, t);
    }
  });
  return y;
}

LongConvGradients long_conv_backward(const LongConv& x, const std::vector<double>& dy) {
  LongConvGradients d;
  d.u.resize(x.u.size());
  d.k.resize(x.k.size());
  d.k_reverse.resize(x.k_reverse.size());
  d.skip.resize(x.skip.size());
  d.gate_in.resize(x.gate_in.size());
  d.gate_out.resize(x.gate_out.size());
  for_each_row(x, [&](const Place& at) {
    for (std::int64_t t = 0; t < x.length; ++t) {
      const double upstream = dy[at.output(t)];
      if (!d.gate_out.empty()) {
        d.gate_out[at.signal(t)] += upstream * sum_at(x, at, t);
      }
      const double g = upstream * value_or(x.gate_out, at.signal(t), 1.0);
      if (!d.skip.empty()) {
        d.skip[at.skip()] += g * v_at(x, at, t);
      }
      for (std::int64_t s = 0; s < x.length; ++s) {
        const Taps taps = taps_for(x, t, s);
        double weight = s == t ? value_or(x.skip, at.skip(), 0.0) : 0.0;
        if (taps.forward >= 0) {
          weight += x.k[at.tap(taps.forward)];
          d.k[at.tap(taps.forward)] += g * v_at(x, at, s);
        }
        if (taps.reverse >= 0) {
          weight += x.k_reverse[at.reverse_tap(taps.reverse)];
          d.k_reverse[at.reverse_tap(taps.reverse)] += g * v_at(x, at, s);
        }
        const double dv = weight * g;
        d.u[at.signal(s)] += dv * value_or(x.gate_in, at.signal(s), 1.0);
        if (!d.gate_in.empty()) {
          d.gate_in[at.signal(s)] += dv * x.u[at.signal(s)];
        }
      }
    }
  });
  return d;
}

}  // namespace longconv::reference
