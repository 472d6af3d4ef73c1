#include "core/reference/short_conv_gate.h"

#include "core/reference/short_conv.h"

#include <cstddef>
#include <utility>

namespace longconv::reference {
namespace {

std::int64_t all_channels(const ShortConvGate& x) { return (x.order + 1) * x.channels; }

/// The short convolution of p with its channels in front.
ShortConv convolution(const ShortConvGate& x) {
  ShortConv c;
  c.batch = x.batch;
  c.channels = all_channels(x);
  c.length = x.length;
  c.taps = x.taps;
  c.w = x.w;
  c.bias = x.bias;
  for (std::int64_t b = 0; b < x.batch; ++b) {
    for (std::int64_t channel = 0; channel < c.channels; ++channel) {
      for (std::int64_t t = 0; t < x.length; ++t) {
        c.u.push_back(x.p[static_cast<std::size_t>((b * x.length + t) * c.channels + channel)]);
      }
    }
  }
  return c;
}

/// Calls body(index of s[b,c,t], of gates[b,c,t]) for the gates and product(index of x_{N-1}, of v,
/// of product[b,d,t]) for the rest.
template <class Gate, class Product>
void for_each_output(const ShortConvGate& x, Gate gate, Product product) {
  const std::int64_t all = all_channels(x);
  const std::int64_t plain = (x.order - 1) * x.channels;
  const auto index = [&](std::int64_t b, std::int64_t channels, std::int64_t c, std::int64_t t) {
    return static_cast<std::size_t>((b * channels + c) * x.length + t);
  };
  for (std::int64_t b = 0; b < x.batch; ++b) {
    for (std::int64_t t = 0; t < x.length; ++t) {
      for (std::int64_t c = 0; c < plain; ++c) {
        gate(index(b, all, c, t), index(b, plain, c, t));
      }
      for (std::int64_t d = 0; d < x.channels; ++d) {
        product(index(b, all, plain + d, t), index(b, all, plain + x.channels + d, t),
                index(b, x.channels, d, t));
      }
    }
  }
}

}  // namespace

GatedParts short_conv_gate(const ShortConvGate& x) {
  const std::vector<double> s = short_conv(convolution(x));
  const auto size = static_cast<std::size_t>(x.batch * x.channels * x.length);
  GatedParts out;
  out.gates.resize(size * static_cast<std::size_t>(x.order - 1));
  out.product.resize(size);
  for_each_output(
      x, [&](std::size_t at_s, std::size_t at) { out.gates[at] = s[at_s]; },
      [&](std::size_t at_x, std::size_t at_v, std::size_t at) {
        out.product[at] = s[at_x] * s[at_v];
      });
  return out;
}

ShortConvGateGradients short_conv_gate_backward(const ShortConvGate& x, const GatedParts& d) {
  const ShortConv convolved = convolution(x);
  const std::vector<double> s = short_conv(convolved);
  std::vector<double> ds(s.size());
  for_each_output(
      x, [&](std::size_t at_s, std::size_t at) { ds[at_s] = d.gates[at]; },
      [&](std::size_t at_x, std::size_t at_v, std::size_t at) {
        ds[at_x] = d.product[at] * s[at_v];
        ds[at_v] = d.product[at] * s[at_x];
      });
  ShortConvGradients inner = short_conv_backward(convolved, ds);
  ShortConvGateGradients out;
  out.w = std::move(inner.w);
  out.bias = std::move(inner.bias);
  out.p.resize(x.p.size());
  const std::int64_t all = all_channels(x);
  for (std::int64_t b = 0; b < x.batch; ++b) {
    for (std::int64_t c = 0; c < all; ++c) {
      for (std::int64_t t = 0; t < x.length; ++t) {
        out.p[static_cast<std::size_t>((b * x.length + t) * all + c)] =
            inner.u[static_cast<std::size_t>((b * all + c) * x.length + t)];
      }
    }
  }
  return out;
}

}  // namespace longconv::reference
