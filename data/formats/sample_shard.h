// Labelled samples in one file, memory-mapped: images, token sequences, pairs of these.
// Little-endian.
//
//   "LCS1" u32 version u32 bytes of a value (1, 2) u32 parts of a sample u64 samples u64 values
//   u32 vocabulary u32 classes u32 height u32 width u32 channels u32 columns u64 JSON bytes,
//   zeros to 4096;
//   the values; one u64 end (in values) per part; i32 columns, row by row; the facts as JSON;
//   CRC-32C (u32) of each 4 MiB of what lies between the header and here
//
// A sample is `parts` runs of values that follow one another, and a row of columns, of which the
// first is its label. Images have height x width x channels values, channels last; height is 0 for
// sequences. The JSON says what the columns, classes and splits are called and where all came from
// (data/tasks/sample_facts.h).
//
// No LibTorch here, so that a fuzzer can link it.
#pragma once

#include "core/files/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace longconv::data {

struct SampleLayout {
  int value_bytes = 1;          ///< 1 or 2
  int parts = 1;                ///< 1, or 2 for pairs
  std::int64_t vocabulary = 0;  ///< values are below it
  std::int64_t classes = 0;     ///< labels are below it; -1 is "no label"
  int height = 0;               ///< 0 for sequences
  int width = 0;
  int channels = 0;
  int columns = 1;
  std::int64_t samples = 0;  ///< known when the file is complete
  std::int64_t values = 0;
};

/// The bytes of a shard, checked: sizes against one another, ends in order, labels in range.
class SampleView {
 public:
  /// Throws DataError with `path` and offset. `bytes` must outlive the view.
  SampleView(std::span<const std::byte> bytes, std::string path);
  [[nodiscard]] const SampleLayout& layout() const { return layout_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string_view facts() const;  ///< JSON
  [[nodiscard]] std::int64_t length(std::int64_t sample, int part) const;
  /// Values [0, min(length, out.size())) of a part; returns how many. Throws DataError for a value
  /// outside the vocabulary, with its offset.
  std::size_t read(std::int64_t sample, int part, std::span<std::int64_t> out) const;
  [[nodiscard]] std::int32_t column(std::int64_t sample, int column) const;
  [[nodiscard]] std::int32_t label(std::int64_t sample) const { return column(sample, 0); }
  /// Checks every block's CRC and every value. Throws DataError with path and offset.
  void verify() const;

 private:
  [[nodiscard]] std::int64_t end(std::int64_t run) const;
  std::span<const std::byte> bytes_;
  std::string path_;
  SampleLayout layout_;
  std::size_t ends_at_ = 0;
  std::size_t columns_at_ = 0;
  std::size_t facts_at_ = 0;
  std::size_t crc_at_ = 0;
};

/// An open shard.
class SampleShard {
 public:
  explicit SampleShard(const std::filesystem::path& path, bool verify = true);
  [[nodiscard]] const SampleView& view() const { return view_; }

 private:
  files::MappedFile file_;
  SampleView view_;
};

/// Writes one shard; nothing is visible before finish(). Samples are kept in the order they come.
class SampleShardWriter {
 public:
  SampleShardWriter(const std::filesystem::path& path, const SampleLayout& layout);
  ~SampleShardWriter();
  /// The next part of the next sample; `layout.parts` of them make a sample. Throws DataError for a
  /// value outside the vocabulary.
  void add_part(std::span<const std::uint8_t> values);
  void add_part(std::span<const std::uint16_t> values);
  /// Ends the sample. `row` has `layout.columns` numbers, the label first.
  void add_row(std::span<const std::int32_t> row);
  void finish(std::string_view facts_json);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longconv::data
