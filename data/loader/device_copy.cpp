#include "data/loader/device_copy.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <utility>

namespace longconv::data {

namespace {

std::array<at::Tensor*, 5> tensors(Batch& batch) {
  return {&batch.input, &batch.target, &batch.lengths, &batch.types, &batch.segments};
}

}  // namespace

DeviceCopy::DeviceCopy(c10::Device device) : device_(device) {
  if (device_.is_cpu()) return;
  const c10::impl::VirtualGuardImpl guard(device_.type());
  if (!device_.has_index()) device_ = guard.getDevice();
  stream_ = guard.getStreamFromGlobalPool(device_, /*isHighPriority=*/false);
}

OnItsWay DeviceCopy::begin(Batch batch) const {
  if (!stream_) return {std::move(batch), std::nullopt};
  const c10::StreamGuard on_stream(*stream_);
  for (at::Tensor* tensor : tensors(batch)) {
    // Pinned memory goes back to its pool once the copy is through: LibTorch's allocator sees to
    // that.
    if (tensor->defined()) *tensor = tensor->pin_memory().to(device_, /*non_blocking=*/true);
  }
  OnItsWay sent{std::move(batch), std::optional<c10::Event>(std::in_place, device_.type())};
  sent.arrived->record(*stream_);
  return sent;
}

Batch DeviceCopy::take(OnItsWay sent) const {
  if (!sent.arrived) return std::move(sent.batch);
  const c10::impl::VirtualGuardImpl guard(device_.type());
  const c10::Stream current = guard.getStream(device_);
  sent.arrived->block(current);
  for (at::Tensor* tensor : tensors(sent.batch)) {
    // Its memory belongs to the copy's stream, which must not reuse it before `current` has done.
    if (tensor->defined()) tensor->record_stream(current);
  }
  return std::move(sent.batch);
}

}  // namespace longconv::data
