// Float tensors in files: conversion to float32, and counting what is not finite.
#pragma once

#include "core/files/safetensors.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace longconv::models {

/// f64, f32, bf16 or f16.
bool is_float(Dtype dtype);

/// The values as float32: exact from the 16-bit kinds, rounded to nearest from float64. `view` is
/// of a float dtype.
std::vector<std::byte> to_float32(const files::TensorView& view);

/// NaNs and infinities among float32 values, which need not be aligned.
std::int64_t count_not_finite(std::span<const std::byte> float32);

}  // namespace longconv::models
