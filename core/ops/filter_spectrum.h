// A long filter's spectrum, kept from one call of the long convolution to the next: the
// micro-batches of an optimiser step share one filter, and so one spectrum.
#pragma once

#include "core/kernels/long_conv.h"
#include "core/ops/snapshot.h"

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace longconv::ops {

/// Belongs to one filter (or pair of them); whoever owns the filter owns this too and passes it in
/// LongConvInputs. Any thread may call it.
class FilterSpectrum {
 public:
  /// What a spectrum depends on beside the filter's values. `row` is the row's name.
  struct Call {
    const char* row = nullptr;
    kernels::ConvMode mode = kernels::ConvMode::causal;
    std::int64_t length = 0;
    bool operator==(const Call&) const = default;
  };

  /// The spectrum of `filters` for such a call: the kept one if it is still that, else what `make`
  /// returns, which is kept in its place. One spectrum is kept at a time.
  at::Tensor get(const Call& call, const std::vector<at::Tensor>& filters,
                 const std::function<at::Tensor()>& make);

  /// How many spectra had to be made: to show that they are shared.
  [[nodiscard]] std::int64_t made() const;

 private:
  mutable std::mutex mutex_;
  Call call_;
  Snapshot filters_;
  at::Tensor spectrum_;
  std::int64_t made_ = 0;
};

}  // namespace longconv::ops
