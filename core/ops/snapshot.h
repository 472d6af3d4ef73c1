// Whether tensors still hold what they held: the test that anything computed from parameters and
// kept (a filter, its spectrum) must pass before it is used again.
//
// LibTorch counts writes: every in-place operation, whatever the route (an optimiser, copy_, a
// load), raises the tensor's version, and set_data moves it to other memory. Writes that LibTorch
// does not see, such as the replay of a CUDA graph or a kernel given a raw pointer, are announced
// by who makes them.
#pragma once

#include "core/base/dtype.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace longconv::ops {

/// To be called after parameters were written behind LibTorch's back, by a CUDA graph's replay, a
/// raw pointer or Tensor::data(): nothing that any Snapshot was taken for is current any more. Any
/// thread may call it.
void announce_writes();

class Snapshot {
 public:
  /// Holds for nothing.
  Snapshot() = default;
  /// Of these tensors now; undefined ones count as absent. Keeps their memory alive, so that an
  /// address cannot come to mean another tensor. Holds for nothing if one of them is an inference
  /// tensor (they count no writes) or their stream is being captured into a CUDA graph, whose
  /// memory is the graph's own.
  explicit Snapshot(const std::vector<at::Tensor>& tensors);

  /// Whether `tensors` are those of the snapshot, unwritten since, and used on the same stream.
  [[nodiscard]] bool holds(const std::vector<at::Tensor>& tensors) const;

 private:
  struct Entry {
    at::Tensor alias;  ///< shares memory and version with the tensor
    const void* data = nullptr;
    std::int64_t version = 0;
  };
  std::vector<Entry> entries_;
  std::uint64_t announced_ = 0;
  Stream stream_ = nullptr;
  bool usable_ = false;
};

}  // namespace longconv::ops
