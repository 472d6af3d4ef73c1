// Batches on their way to a device.
//
// On the GPU: into pinned memory, then by a copy on a stream of its own, so that the copy runs
// beside the kernels of earlier batches. On the CPU a batch stays what it is.
#pragma once

#include "data/loader/loader.h"

#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <optional>

namespace longconv::data {

/// A batch whose copy has begun.
struct OnItsWay {
  Batch batch;
  std::optional<c10::Event> arrived;  ///< nothing on the CPU
};

/// Thread-safe; holds one stream.
class DeviceCopy {
 public:
  explicit DeviceCopy(c10::Device device);
  /// Begins the copy; does not wait for it.
  [[nodiscard]] OnItsWay begin(Batch batch) const;
  /// The batch for work on the device's current stream, which waits for the copy; the host does
  /// not.
  [[nodiscard]] Batch take(OnItsWay sent) const;

 private:
  c10::Device device_;
  std::optional<c10::Stream> stream_;
};

}  // namespace longconv::data
