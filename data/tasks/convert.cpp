#include "data/tasks/convert.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/mapped_file.h"
#include "core/files/npy.h"
#include "data/formats/foreign_tokens.h"
#include "data/formats/hdf5_series.h"
#include "data/formats/hdf5_tokens.h"
#include "data/formats/token_shard.h"
#include "data/tokenizers/tokenizer.h"

#include <glob.h>

#include <algorithm>
#include <cstring>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kChunkTokens = std::int64_t{1} << 20;

/// The files a pattern names, sorted; a name without * or ? is itself.
std::vector<fs::path> expand(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  glob_t found{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<fs::path> paths;
  if (status == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  LONGCONV_CHECK(!paths.empty(), DataError, "{}: no file has such a name", pattern);
  return paths;
}

Converted foreign_to_shard(const std::string& source, const fs::path& target,
                           const std::string& tokenizer_name) {
  LONGCONV_CHECK(!tokenizer_name.empty(), UsageError,
                 "data convert {}: a .bin file does not say which tokenizer made it; name it with "
                 "--tokenizer",
                 source);
  const auto tokenizer = open_tokenizer(tokenizer_name);
  const std::int64_t vocab_size = tokenizer->vocab_size();
  TokenShardWriter writer(target, vocab_size, tokenizer->eos_id(), tokenizer->fingerprint());
  Converted result{"tokens", "", 0, {0}};
  std::vector<std::int32_t> document;
  const auto finish_document = [&] {
    writer.add_document(document);
    document.clear();
    ++result.documents;
  };
  std::vector<std::int32_t> chunk;
  for (const fs::path& path : expand(source)) {
    const ForeignTokens file(path);
    result.layout = name(file.header().layout);
    for (std::int64_t first = 0; first < file.size(); first += kChunkTokens) {
      chunk.resize(static_cast<std::size_t>(std::min(kChunkTokens, file.size() - first)));
      file.read(first, chunk, vocab_size);
      for (const std::int32_t id : chunk) {
        document.push_back(id);
        if (id == tokenizer->eos_id()) finish_document();
      }
    }
    result.shape[0] += file.size();
  }
  if (!document.empty()) finish_document();
  writer.finish();
  return result;
}

template <class T>
void copy_floats(std::span<const std::byte> bytes, std::vector<float>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value{};
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    out[i] = static_cast<float>(value);
  }
}

Converted npy_to_series(const fs::path& source, const fs::path& target) {
  const files::MappedFile file(source);
  const files::TensorView array = files::parse_npy(file.bytes(), source.string());
  const bool single = array.shape.size() == 2;
  LONGCONV_CHECK(single || array.shape.size() == 3, DataError,
                 "{}: an array of {} dimensions; a series is [T, C] or [S, T, C]", source.string(),
                 array.shape.size());
  LONGCONV_CHECK(array.dtype == Dtype::f32 || array.dtype == Dtype::f64, DataError,
                 "{}: {} values; a series has float32 (or float64, rounded)", source.string(),
                 name(array.dtype));
  Series series;
  series.subjects = single ? 1 : array.shape[0];
  series.length = array.shape[single ? 0 : 1];
  series.channels = array.shape[single ? 1 : 2];
  series.values.resize(array.data.size() / size_of(array.dtype));
  series.mask.assign(static_cast<std::size_t>(series.subjects * series.length), 1);
  if (array.dtype == Dtype::f32) {
    copy_floats<float>(array.data, series.values);
  } else {
    log::info("{}: float64 is rounded to float32", source.string());
    copy_floats<double>(array.data, series.values);
  }
  write_series(target, series);
  return {"series", "npy", 0, {series.subjects, series.length, series.channels}};
}

Converted series_to_npy(const fs::path& source, const fs::path& target) {
  const Series series = read_series(source);
  const bool masked = std::find(series.mask.begin(), series.mask.end(), 0) != series.mask.end();
  if (masked || !series.labels.empty()) {
    log::warn("{}: the mask and labels have no place in a .npy file and are left out",
              source.string());
  }
  const std::vector<std::int64_t> shape{series.subjects, series.length, series.channels};
  files::write_npy(target, {"series", Dtype::f32, shape, std::as_bytes(std::span(series.values))});
  return {"series", "hdf5", 0, shape};
}

bool is_hdf5(const std::string& extension) { return extension == ".h5" || extension == ".hdf5"; }

}  // namespace

Converted convert_data(const std::string& source, const fs::path& target,
                       const std::string& tokenizer) {
  const std::string from = fs::path(source).extension().string();
  const std::string to = target.extension().string();
  if (from == ".bin" && to == ".lct") return foreign_to_shard(source, target, tokenizer);
  LONGCONV_CHECK(
      tokenizer.empty(), UsageError,
      "data convert {}: --tokenizer is for .bin files; this one says itself which tokenizer "
      "made it",
      source);
  if (from == ".lct" && is_hdf5(to)) {
    const TokenShard shard(source);
    shard_to_hdf5(shard, target);
    return {"tokens",
            "token shard",
            static_cast<std::int64_t>(shard.document_starts().size()),
            {shard.size()}};
  }
  if (is_hdf5(from) && to == ".lct") {
    hdf5_to_shard(source, target);
    const TokenShard shard(target, /*verify=*/false);
    return {"tokens",
            "hdf5",
            static_cast<std::int64_t>(shard.document_starts().size()),
            {shard.size()}};
  }
  if (from == ".npy" && is_hdf5(to)) return npy_to_series(source, target);
  if (is_hdf5(from) && to == ".npy") return series_to_npy(source, target);
  throw UsageError(fmt::format(
      "data convert: cannot turn {} into {}; there are .bin -> .lct, .lct <-> .h5, .npy <-> .h5",
      source, target.string()));
}

}  // namespace longconv::data
