// What `longconv predict` writes, row by row as it is made, into a file that appears whole or not
// at all. Its name says the format:
//
//   .npy           one array: (rows, L, width), or (rows, width), or (rows) for one number a row.
//                  NumPy has no bf16: such values are written as float32
//   .safetensors   the same as one tensor named after the prediction. Rows of several lengths lie
//   in
//                  one (sum of lengths, width), row i at offsets[i] to offsets[i + 1]
//   .jsonl         an object a row: its number, its name if it has one, and the values
//
// No LibTorch: values come as bytes.
#pragma once

#include "core/base/dtype.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace longconv::train {

/// What will be written, known before the first value is.
struct PredictionLayout {
  std::string what;                   ///< "logits", "hidden", "embedding", "loss"
  Dtype dtype = Dtype::f32;           ///< f64, f32, or (.safetensors only) bf16
  std::vector<std::int64_t> lengths;  ///< positions of each row
  std::int64_t width = 0;             ///< values of a position or of a row; 0 = one number a row
  bool per_position = false;          ///< a row has `width` values for each of its positions
  bool one_length = false;            ///< the rows came as a matrix, so that all are equally long
};

class PredictionFile {
 public:
  virtual ~PredictionFile() = default;
  /// The next row's values, contiguous, as the layout says. `name` may be empty.
  virtual void write(std::span<const std::byte> values, const std::string& name) = 0;
  /// After the last row. Throws EnvironmentError, as write() does, if the disk is full.
  virtual void commit() = 0;
};

/// The dtype that values of `dtype` are written in to `path`. Throws UsageError for another ending.
Dtype dtype_in(const std::filesystem::path& path, Dtype dtype);

/// Throws UsageError for another ending and for rows of several lengths in .npy, EnvironmentError
/// if the place cannot be written.
std::unique_ptr<PredictionFile> open_prediction_file(const std::filesystem::path& path,
                                                     PredictionLayout layout);

}  // namespace longconv::train
