// A step that counts for nothing, before the first that counts.
//
// The first pass of a process makes what all later ones find ready: handles and plans of cuBLAS and
// cuFFT, kernels loaded at their first launch, the allocator's blocks. Timed as a step, it would
// take several times as long as the others and spoil the run's tokens per second.
#pragma once

#include "train/config.h"
#include "train/loop/parts.h"

namespace longconv::train {

/// One forward and backward pass over made-up ids in the shape of every later micro-batch (of other
/// inputs: the first samples), the clipping of its gradients, and an update of a tensor of its own.
/// Weights, optimiser, generators and the loader's position stay as they were and no gradient
/// remains, so a run with it equals a run without it, bit for bit. Returns the seconds it took.
/// Throws what a step throws, such as c10::OutOfMemoryError.
double rehearse(Parts& parts, const RunConfig& config);

}  // namespace longconv::train
