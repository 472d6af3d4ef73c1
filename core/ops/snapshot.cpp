#define AT_PER_OPERATOR_HEADERS
#include "core/ops/snapshot.h"

#include "core/ops/tensor_access.h"

#include <algorithm>
#include <atomic>
#ifdef LONGCONV_WITH_CUDA
#include <c10/cuda/CUDAGraphsC10Utils.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace longconv::ops {
namespace {

std::atomic<std::uint64_t> announced_writes{0};

/// The first tensor that is there; undefined if none is.
at::Tensor first_of(const std::vector<at::Tensor>& tensors) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [](const at::Tensor& t) { return t.defined(); });
  return found == tensors.end() ? at::Tensor() : *found;
}

bool is_captured(const at::Tensor& tensor) {
#ifdef LONGCONV_WITH_CUDA
  if (tensor.is_cuda()) {
    const c10::cuda::CUDAGuard device(tensor.device());
    return c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None;
  }
#endif
  (void)tensor;
  return false;
}

}  // namespace

void announce_writes() { ++announced_writes; }

Snapshot::Snapshot(const std::vector<at::Tensor>& tensors) : announced_(announced_writes) {
  const at::Tensor first = first_of(tensors);
  const bool counted = std::none_of(tensors.begin(), tensors.end(), [](const at::Tensor& t) {
    return t.defined() && t.is_inference();
  });
  usable_ = first.defined() && counted && !is_captured(first);
  if (!usable_) {
    return;
  }
  stream_ = stream_of(first);
  for (const at::Tensor& t : tensors) {
    entries_.push_back(t.defined() ? Entry{t.detach(), t.const_data_ptr(), t._version()} : Entry{});
  }
}

bool Snapshot::holds(const std::vector<at::Tensor>& tensors) const {
  if (!usable_ || announced_ != announced_writes || tensors.size() != entries_.size()) {
    return false;
  }
  const auto same = [](const Entry& entry, const at::Tensor& t) {
    if (!t.defined() || !entry.alias.defined()) {
      return t.defined() == entry.alias.defined();
    }
    return !t.is_inference() && t.const_data_ptr() == entry.data && t._version() == entry.version &&
           t.sizes() == entry.alias.sizes() && t.strides() == entry.alias.strides() &&
           t.scalar_type() == entry.alias.scalar_type();
  };
  if (!std::equal(entries_.begin(), entries_.end(), tensors.begin(), same)) {
    return false;
  }
  const at::Tensor first = first_of(tensors);
  return stream_of(first) == stream_ && !is_captured(first);
}

}  // namespace longconv::ops
