#define AT_PER_OPERATOR_HEADERS
#include "core/ops/long_conv_fft.h"

#include "core/ops/tensor_access.h"

#include <ATen/ops/_fft_c2r.h>
#include <ATen/ops/_fft_r2c.h>
#include <ATen/ops/add.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

namespace longconv::ops::fft {
namespace {

// ATen's codes for the normalisation of _fft_r2c and _fft_c2r.
// (Their dimensions must be counted from the front.)
constexpr std::int64_t kNoNorm = 0;
constexpr std::int64_t kByLength = 2;

/// Taps that reach an output, where the reverse filter starts, and the transform's size.
struct Layout {
  std::int64_t taps = 0;
  std::int64_t reverse_taps = 0;
  std::int64_t lag = 0;  // of the reverse filter's first tap, into the future
  std::int64_t size = 0;
};

Layout layout_of(const Problem& p) {
  Layout layout;
  const std::int64_t length = p.length();
  layout.taps = std::min(p.k.size(-1), length);
  if (p.mode == ConvMode::circular) {
    layout.size = length;
    return layout;
  }
  std::int64_t least = length + layout.taps - 1;
  if (p.k_reverse.defined()) {
    layout.lag = p.mode == ConvMode::bidirectional ? 1 : 0;
    layout.reverse_taps = std::min(p.k_reverse.size(-1), length - layout.lag);
    least = std::max(least, length + layout.reverse_taps + layout.lag - 1);
  }
  layout.size = fast_size(least);
  return layout;
}

at::Tensor inverse(const at::Tensor& spectrum, std::int64_t size, std::int64_t norm) {
  return at::_fft_c2r(spectrum, {spectrum.dim() - 1}, norm, size);
}

/// rfft of gate * x, padded to `size`: (B, H, size/2+1) in wide precision.
at::Tensor spectrum_of(const at::Tensor& x, const at::Tensor& gate, std::int64_t size) {
  const std::int64_t length = x.size(-1);
  const at::ScalarType wide = wide_type(x);
  at::Tensor padded;
  if (c10::GradMode::is_enabled()) {
    at::Tensor v = x.to(wide);
    v = gate.defined() ? at::mul(v, gate.to(wide)) : v;
    padded = size > length ? at::constant_pad_nd(v, {0, size - length}) : v;
  } else if (size == length && !gate.defined() && x.scalar_type() == wide) {
    padded = x;
  } else {
    // One pass casts, gates and pads: the product lands in the transform's own buffer.
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = size;
    padded = at::empty(shape, x.options().dtype(wide));
    at::Tensor signal = padded.narrow(-1, 0, length);
    if (gate.defined()) {
      at::mul_out(signal, x, gate);
    } else {
      signal.copy_(x);
    }
    if (size > length) {
      padded.narrow(-1, length, size - length).zero_();
    }
  }
  return at::_fft_r2c(padded, {padded.dim() - 1}, kNoNorm, /*onesided=*/true);
}

/// gate * x in `type`, contiguous: the pass that also drops the transform's padding.
at::Tensor gated(const at::Tensor& x, const at::Tensor& gate, at::ScalarType type) {
  if (!gate.defined()) {
    return x.to(x.options().dtype(type), /*non_blocking=*/false, /*copy=*/!x.is_contiguous(),
                at::MemoryFormat::Contiguous);
  }
  if (c10::GradMode::is_enabled()) {
    return at::mul(x, gate.to(x.scalar_type())).to(type);
  }
  const at::Tensor out = at::empty(x.sizes(), x.options().dtype(type));
  at::Tensor target = out;
  return at::mul_out(target, x, gate);
}

/// (B, H, L) as (B, 1, H, L), to meet the C filters.
at::Tensor with_filters(const at::Tensor& x) { return x.defined() ? x.unsqueeze(1) : x; }

/// a * b; in place where autograd does not look and the shapes allow.
at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (!c10::GradMode::is_enabled() && b.dim() <= a.dim() &&
      (b.dim() < 3 || b.size(-3) == a.size(-3) || b.size(-3) == 1)) {
    return a.mul_(b);
  }
  return at::mul(a, b);
}

/// The first `taps` of a filter's gradient, zeros for the taps that were ignored.
at::Tensor to_taps(const at::Tensor& lags, std::int64_t all_taps) {
  const std::int64_t ignored = all_taps - lags.size(-1);
  return ignored > 0 ? at::constant_pad_nd(lags, {0, ignored}) : lags.contiguous();
}

}  // namespace

std::int64_t fast_size(std::int64_t least) {
  for (std::int64_t size = std::max<std::int64_t>(2, least + least % 2);; size += 2) {
    std::int64_t rest = size;
    for (const std::int64_t prime : {2, 3, 5, 7}) {
      while (rest % prime == 0) {
        rest /= prime;
      }
    }
    if (rest == 1) {
      return size;
    }
  }
}

at::Tensor filter_spectrum(const Problem& p) {
  const Layout layout = layout_of(p);
  at::Tensor present = p.k.narrow(-1, 0, 1);
  if (p.skip.defined()) {
    present = at::add(present, p.skip.unsqueeze(-1));
  }
  std::int64_t reverse_first = 0;
  if (p.mode == ConvMode::conjugate) {
    present = at::add(present, p.k_reverse.narrow(-1, 0, 1));
    reverse_first = 1;
  }
  const std::int64_t reverse_count = std::max<std::int64_t>(0, layout.reverse_taps - reverse_first);
  std::vector<at::Tensor> parts = {present, p.k.narrow(-1, 1, layout.taps - 1)};
  std::vector<std::int64_t> gap = present.sizes().vec();
  gap.back() = layout.size - layout.taps - reverse_count;
  parts.push_back(at::zeros(gap, present.options()));
  if (reverse_count > 0) {
    parts.push_back(p.k_reverse.narrow(-1, reverse_first, reverse_count).flip(-1));
  }
  const at::Tensor filter = at::cat(parts, -1);
  return at::_fft_r2c(filter, {filter.dim() - 1}, kByLength, /*onesided=*/true);
}

at::Tensor forward(const Problem& p, const at::Tensor& spectrum) {
  const Layout layout = layout_of(p);
  const at::Tensor v = with_filters(spectrum_of(p.u, p.gate_in, layout.size));
  const at::Tensor conv = inverse(product(v, spectrum), layout.size, kNoNorm);
  return gated(conv.narrow(-1, 0, p.length()), with_filters(p.gate_out), p.u.scalar_type());
}

Gradients backward(const Problem& p, at::Tensor spectrum, const at::Tensor& dy,
                   const Wanted& wanted) {
  const Layout layout = layout_of(p);
  const std::int64_t length = p.length();
  const at::ScalarType type = p.u.scalar_type();
  const bool differentiable = c10::GradMode::is_enabled();
  if (differentiable || !spectrum.defined()) {
    spectrum = filter_spectrum(p);
  }
  Gradients d;
  const bool filters = wanted.k || wanted.k_reverse || wanted.skip;
  const bool dgate_out = wanted.gate_out && p.gate_out.defined();
  const bool dgate_in = wanted.gate_in && p.gate_in.defined();

  at::Tensor v;
  if (filters || dgate_out) {
    v = with_filters(spectrum_of(p.u, p.gate_in, layout.size));
  }
  if (dgate_out) {
    const at::Tensor conv =
        inverse(at::mul(v, spectrum), layout.size, kNoNorm).narrow(-1, 0, length);
    // One pass for one filter; several are summed in wide precision first.
    d.gate_out = conv.size(1) == 1 ? gated(conv, dy, type).squeeze(1)
                                   : gated(conv, dy, conv.scalar_type()).sum(1).to(type);
  }
  at::Tensor g = spectrum_of(dy, with_filters(p.gate_out), layout.size);
  if (wanted.u || dgate_in) {
    at::Tensor dv_spectrum = at::mul(g, spectrum.conj());
    dv_spectrum = dv_spectrum.size(1) == 1 ? dv_spectrum.squeeze(1) : dv_spectrum.sum(1);
    const at::Tensor dv = inverse(dv_spectrum, layout.size, kNoNorm).narrow(-1, 0, length);
    if (wanted.u) {
      d.u = gated(dv, p.gate_in, type);
    }
    if (dgate_in) {
      d.gate_in = gated(dv, p.u, type);
    }
  }
  if (filters) {
    const at::Tensor conj_v = differentiable ? v.conj() : v.conj().resolve_conj();
    v.reset();
    const at::Tensor lags = inverse(product(g, conj_v).sum(0), layout.size, kByLength);
    if (wanted.k) {
      d.k = to_taps(lags.narrow(-1, 0, layout.taps), p.k.size(-1));
    }
    if (wanted.skip && p.skip.defined()) {
      d.skip = lags.select(-1, 0).contiguous();
    }
    if (wanted.k_reverse && p.k_reverse.defined()) {
      // Lag -(lag + j) sits at n - lag - j, but lag 0 at 0.
      const std::int64_t wrapped = layout.reverse_taps - (1 - layout.lag);
      at::Tensor dkr = lags.narrow(-1, layout.size - std::max<std::int64_t>(wrapped, 0),
                                   std::max<std::int64_t>(wrapped, 0))
                           .flip(-1);
      if (layout.lag == 0) {
        dkr = at::cat({lags.narrow(-1, 0, 1), dkr}, -1);
      }
      d.k_reverse = to_taps(dkr, p.k_reverse.size(-1));
    }
  }
  return d;
}

}  // namespace longconv::ops::fft
