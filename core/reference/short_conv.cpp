#include "core/reference/short_conv.h"

#include <cstddef>

namespace longconv::reference {
namespace {

/// Calls body(index of y[row,t], of u[row,s], of w[c,j]) for every product w[c,j] u[row,s] that
/// enters y[row,t].
template <class Body>
void for_each_product(const ShortConv& x, Body body) {
  for (std::int64_t row = 0; row < x.batch * x.channels; ++row) {
    const std::int64_t c = row % x.channels;
    for (std::int64_t t = 0; t < x.length; ++t) {
      for (std::int64_t j = 0; j < x.taps; ++j) {
        const std::int64_t s = t - (x.taps - 1) + j;
        if (s >= 0) {
          body(static_cast<std::size_t>(row * x.length + t),
               static_cast<std::size_t>(row * x.length + s),
               static_cast<std::size_t>(c * x.taps + j));
        }
      }
    }
  }
}

std::size_t channel_of(const ShortConv& x, std::size_t i) {
  return i / static_cast<std::size_t>(x.length) % static_cast<std::size_t>(x.channels);
}

}  // namespace

std::vector<double> short_conv(const ShortConv& x) {
  std::vector<double> y(x.u.size());
  for (std::size_t i = 0; i < y.size() && !x.bias.empty(); ++i) {
    y[i] = x.bias[channel_of(x, i)];
  }
  for_each_product(x, [&](std::size_t at_t, std::size_t at_s, std::size_t tap) {
    y[at_t] += x.w[tap] * x.u[at_s];
  });
  return y;
}

ShortConvGradients short_conv_backward(const ShortConv& x, const std::vector<double>& dy) {
  ShortConvGradients d;
  d.u.resize(x.u.size());
  d.w.resize(x.w.size());
  d.bias.resize(x.bias.size());
  for_each_product(x, [&](std::size_t at_t, std::size_t at_s, std::size_t tap) {
    d.u[at_s] += x.w[tap] * dy[at_t];
    d.w[tap] += x.u[at_s] * dy[at_t];
  });
  for (std::size_t i = 0; i < dy.size() && !d.bias.empty(); ++i) {
    d.bias[channel_of(x, i)] += dy[i];
  }
  return d;
}

}  // namespace longconv::reference
