#include "train/evaluation/prediction_file.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/npy.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace longconv::train {
namespace {

namespace fs = std::filesystem;

enum class Format { npy, safetensors, jsonl };

Format format_of(const fs::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".npy") return Format::npy;
  if (ending == ".safetensors") return Format::safetensors;
  if (ending == ".jsonl") return Format::jsonl;
  throw UsageError(
      fmt::format("{}: expected a name ending in .npy, .safetensors or .jsonl", path.string()));
}

std::int64_t rows(const PredictionLayout& layout) { return std::ssize(layout.lengths); }

/// The shape of everything in one array; all rows are equally long.
std::vector<std::int64_t> shape_of(const PredictionLayout& layout) {
  std::vector<std::int64_t> shape{rows(layout)};
  if (layout.per_position) shape.push_back(layout.lengths.empty() ? 0 : layout.lengths.front());
  if (layout.width > 0) shape.push_back(layout.width);
  return shape;
}

/// .npy and .safetensors: a header, then the values as they come.
class ArrayFile final : public PredictionFile {
 public:
  ArrayFile(const fs::path& path, const std::string& header) : file_(path) { file_.write(header); }
  void write(std::span<const std::byte> values, const std::string& /*name*/) override {
    file_.write(values);
  }
  void add(std::span<const std::byte> bytes) { file_.write(bytes); }
  void commit() override { file_.commit(); }

 private:
  files::AtomicFile file_;
};

std::unique_ptr<PredictionFile> npy_file(const fs::path& path, const PredictionLayout& layout) {
  const auto [least, most] = std::minmax_element(layout.lengths.begin(), layout.lengths.end());
  LONGCONV_CHECK(!layout.per_position || layout.lengths.empty() || *least == *most, UsageError,
                 "{}: the rows have {} to {} positions, and an array rows of one length; name a "
                 "file .safetensors or .jsonl for {}",
                 path.string(), *least, *most, layout.what);
  return std::make_unique<ArrayFile>(
      path, files::npy_header(layout.dtype, shape_of(layout), path.string()));
}

std::unique_ptr<PredictionFile> safetensors_file(const fs::path& path,
                                                 const PredictionLayout& layout) {
  if (!layout.per_position || layout.one_length) {
    const std::vector<files::TensorView> tensors{{layout.what, layout.dtype, shape_of(layout), {}}};
    return std::make_unique<ArrayFile>(path, files::safetensors_header(tensors, {}, path));
  }
  std::vector<std::int64_t> offsets(layout.lengths.size() + 1, 0);
  std::partial_sum(layout.lengths.begin(), layout.lengths.end(), offsets.begin() + 1);
  // The widest dtype first, so that readers find both aligned.
  const std::vector<files::TensorView> tensors{
      {"offsets", Dtype::i64, {std::ssize(offsets)}, {}},
      {layout.what, layout.dtype, {offsets.back(), layout.width}, {}}};
  auto file = std::make_unique<ArrayFile>(path, files::safetensors_header(tensors, {}, path));
  file->add(std::as_bytes(std::span(offsets)));
  return file;
}

/// Numbers as short as they can be and still read back as themselves.
class JsonlFile final : public PredictionFile {
 public:
  JsonlFile(const fs::path& path, PredictionLayout layout)
      : file_(path), layout_(std::move(layout)) {}

  void write(std::span<const std::byte> values, const std::string& name) override {
    line_ = fmt::format("{{\"row\": {}, ", row_++);
    if (!name.empty()) {
      line_ += fmt::format(
          "\"name\": {}, ",
          nlohmann::json(name).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    line_ += fmt::format("\"{}\": ", layout_.what);
    if (layout_.dtype == Dtype::f64) {
      add_values<double>(values);
    } else {
      add_values<float>(values);
    }
    line_ += "}\n";
    file_.write(line_);
  }
  void commit() override { file_.commit(); }

 private:
  template <class T>
  void add_values(std::span<const std::byte> values) {
    const std::size_t count = values.size() / sizeof(T);
    if (layout_.width == 0) return add_list<T>(values, 1);
    const auto width = static_cast<std::size_t>(layout_.width);
    if (layout_.per_position) line_ += '[';
    for (std::size_t at = 0; at < count; at += width) {
      if (at > 0) line_ += ", ";
      line_ += '[';
      add_list<T>(values.subspan(at * sizeof(T)), width);
      line_ += ']';
    }
    if (layout_.per_position) line_ += ']';
  }
  template <class T>
  void add_list(std::span<const std::byte> values, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      T value{};
      std::memcpy(&value, values.data() + i * sizeof(T), sizeof(T));
      fmt::format_to(std::back_inserter(line_), "{}{}", i > 0 ? ", " : "", value);
    }
  }
  files::AtomicFile file_;
  PredictionLayout layout_;
  std::string line_;
  std::int64_t row_ = 0;
};

}  // namespace

Dtype dtype_in(const fs::path& path, Dtype dtype) {
  const bool has_bf16 = format_of(path) == Format::safetensors;
  return dtype == Dtype::bf16 && !has_bf16 ? Dtype::f32 : dtype;
}

std::unique_ptr<PredictionFile> open_prediction_file(const fs::path& path,
                                                     PredictionLayout layout) {
  switch (format_of(path)) {
    case Format::npy:
      return npy_file(path, layout);
    case Format::safetensors:
      return safetensors_file(path, layout);
    case Format::jsonl:
      break;
  }
  return std::make_unique<JsonlFile>(path, std::move(layout));
}

}  // namespace longconv::train
