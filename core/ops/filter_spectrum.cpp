#include "core/ops/filter_spectrum.h"

namespace longconv::ops {

at::Tensor FilterSpectrum::get(const Call& call, const std::vector<at::Tensor>& filters,
                               const std::function<at::Tensor()>& make) {
  const std::lock_guard lock(mutex_);
  if (call != call_ || !filters_.holds(filters)) {
    spectrum_ = make();
    call_ = call;
    filters_ = Snapshot(filters);
    ++made_;
  }
  return spectrum_;
}

std::int64_t FilterSpectrum::made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

}  // namespace longconv::ops
