#include "data/formats/sample_shard.h"

#include "core/base/check.h"
#include "core/files/hash.h"
#include "data/formats/packed.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace longconv::data {

namespace {

constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kBlockBytes = std::size_t{4} << 20;
constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kMagic = "LCS1";
// Field offsets of the header: packed in the order of the format.
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kValueBytesAt = 8;
constexpr std::size_t kPartsAt = 12;
constexpr std::size_t kSamplesAt = 16;
constexpr std::size_t kValuesAt = 24;
constexpr std::size_t kVocabularyAt = 32;
constexpr std::size_t kClassesAt = 36;
constexpr std::size_t kHeightAt = 40;
constexpr std::size_t kWidthAt = 44;
constexpr std::size_t kChannelsAt = 48;
constexpr std::size_t kColumnsAt = 52;
constexpr std::size_t kFactsBytesAt = 56;
constexpr std::uint32_t kMaxColumns = 64;
constexpr std::uint32_t kMaxSide = 1 << 15;

/// A field that must lie in [low, high].
std::int64_t field(std::span<const std::byte> bytes, std::size_t at, std::uint32_t low,
                   std::uint32_t high, std::string_view what, const std::string& path) {
  const auto value = load<std::uint32_t>(bytes, at);
  LONGCONV_CHECK(value >= low && value <= high, DataError,
                 "{}: {} {} at byte {}, expected {} to {}", path, value, what, at, low, high);
  return value;
}

SampleLayout parse_header(std::span<const std::byte> bytes, const std::string& path) {
  LONGCONV_CHECK(
      bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0,
      DataError, "{}: not a sample shard (it begins with the letters LCS1)", path);
  LONGCONV_CHECK(bytes.size() >= kHeaderBytes, DataError,
                 "{}: truncated: {} bytes, the header alone has {}", path, bytes.size(),
                 kHeaderBytes);
  const auto version = load<std::uint32_t>(bytes, kVersionAt);
  LONGCONV_CHECK(version == kVersion, DataError,
                 "{}: shard version {} at byte {}, this program reads version {}", path, version,
                 kVersionAt, kVersion);
  const auto get = [&](std::size_t at, std::uint32_t low, std::uint32_t high, const char* what) {
    return field(bytes, at, low, high, what, path);
  };
  SampleLayout layout;
  layout.value_bytes = static_cast<int>(get(kValueBytesAt, 1, 2, "bytes a value"));
  layout.parts = static_cast<int>(get(kPartsAt, 1, 2, "parts a sample"));
  layout.vocabulary = get(kVocabularyAt, 1, 1U << (8 * layout.value_bytes), "different values");
  layout.classes = get(kClassesAt, 1, std::numeric_limits<std::int32_t>::max(), "classes");
  layout.height = static_cast<int>(get(kHeightAt, 0, kMaxSide, "rows of an image"));
  layout.width = static_cast<int>(get(kWidthAt, 0, kMaxSide, "columns of an image"));
  layout.channels = static_cast<int>(get(kChannelsAt, 0, 4, "channels of an image"));
  layout.columns = static_cast<int>(get(kColumnsAt, 1, kMaxColumns, "table columns"));
  return layout;
}

/// Bytes that `count` things of `each` bytes take of `left`. Throws DataError if there are fewer.
std::size_t take(std::size_t& left, std::uint64_t count, std::size_t each, std::string_view what,
                 const std::string& path) {
  LONGCONV_CHECK(count <= left / each, DataError,
                 "{}: the header says {} {} of {} bytes, only {} bytes are left for them: the file "
                 "is truncated or has been changed",
                 path, count, what, each, left);
  left -= static_cast<std::size_t>(count) * each;
  return static_cast<std::size_t>(count) * each;
}

}  // namespace

SampleView::SampleView(std::span<const std::byte> bytes, std::string path)
    : bytes_(bytes), path_(std::move(path)), layout_(parse_header(bytes_, path_)) {
  const auto samples = load<std::uint64_t>(bytes_, kSamplesAt);
  const auto values = load<std::uint64_t>(bytes_, kValuesAt);
  const auto facts_bytes = load<std::uint64_t>(bytes_, kFactsBytesAt);
  // Each count is bounded by what is left of the file before it is multiplied.
  std::size_t left = bytes_.size() - kHeaderBytes;
  const auto bytes_of = [&](std::uint64_t count, std::size_t each, std::string_view what) {
    return take(left, count, each, what, path_);
  };
  ends_at_ =
      kHeaderBytes + bytes_of(values, static_cast<std::size_t>(layout_.value_bytes), "values");
  columns_at_ =
      ends_at_ + bytes_of(samples, sizeof(std::uint64_t) * static_cast<std::size_t>(layout_.parts),
                          "ends of samples");
  facts_at_ = columns_at_ +
              bytes_of(samples, sizeof(std::int32_t) * static_cast<std::size_t>(layout_.columns),
                       "table rows");
  crc_at_ = facts_at_ + bytes_of(facts_bytes, 1, "JSON characters");
  const std::size_t checksums = (crc_at_ - kHeaderBytes + kBlockBytes - 1) / kBlockBytes;
  LONGCONV_CHECK(left == checksums * sizeof(std::uint32_t), DataError,
                 "{}: {} bytes follow byte {}, expected {} checksums of 4: the file is truncated "
                 "or has been changed",
                 path_, left, crc_at_, checksums);
  layout_.samples = static_cast<std::int64_t>(samples);
  layout_.values = static_cast<std::int64_t>(values);

  const std::int64_t image = std::int64_t{layout_.height} * layout_.width * layout_.channels;
  LONGCONV_CHECK((layout_.height == 0) == (image == 0), DataError,
                 "{}: images of {} x {} x {} at byte {}", path_, layout_.height, layout_.width,
                 layout_.channels, kHeightAt);
  std::int64_t before = 0;
  for (std::int64_t run = 0; run < layout_.samples * layout_.parts; ++run) {
    const std::int64_t here = end(run);
    const bool fits = here >= before && here <= layout_.values;
    LONGCONV_CHECK(fits && (image == 0 || here - before == image), DataError,
                   "{}: part {} ends at value {} (byte {}), expected {} to {}", path_, run, here,
                   ends_at_ + static_cast<std::size_t>(run) * sizeof(std::uint64_t), before + image,
                   image == 0 ? layout_.values : before + image);
    before = here;
  }
  LONGCONV_CHECK(before == layout_.values, DataError,
                 "{}: the samples end at value {}, the header says {} values", path_, before,
                 layout_.values);
  for (std::int64_t sample = 0; sample < layout_.samples; ++sample) {
    const std::int32_t got = label(sample);
    LONGCONV_CHECK(got >= -1 && got < layout_.classes, DataError,
                   "{}: sample {} has label {}, expected -1 (none) or one below {}", path_, sample,
                   got, layout_.classes);
  }
}

std::string_view SampleView::facts() const {
  return {reinterpret_cast<const char*>(bytes_.data()) + facts_at_, crc_at_ - facts_at_};
}

std::int64_t SampleView::end(std::int64_t run) const {
  const std::size_t at = ends_at_ + static_cast<std::size_t>(run) * sizeof(std::uint64_t);
  // An end above 2^63 becomes negative and fails the checks of the constructor.
  return static_cast<std::int64_t>(load<std::uint64_t>(bytes_, at));
}

std::int64_t SampleView::length(std::int64_t sample, int part) const {
  LONGCONV_CHECK(sample >= 0 && sample < layout_.samples && part >= 0 && part < layout_.parts,
                 DataError, "{}: part {} of sample {} asked for, there are {} samples of {} parts",
                 path_, part, sample, layout_.samples, layout_.parts);
  const std::int64_t run = sample * layout_.parts + part;
  return end(run) - (run == 0 ? 0 : end(run - 1));
}

std::size_t SampleView::read(std::int64_t sample, int part, std::span<std::int64_t> out) const {
  const std::int64_t run = sample * layout_.parts + part;
  const std::size_t count = std::min(out.size(), static_cast<std::size_t>(length(sample, part)));
  const std::int64_t first = run == 0 ? 0 : end(run - 1);
  const auto step = static_cast<std::size_t>(layout_.value_bytes);
  std::size_t at = kHeaderBytes + static_cast<std::size_t>(first) * step;
  for (std::int64_t& value : out.first(count)) {
    value = step == 1 ? load<std::uint8_t>(bytes_, at) : load<std::uint16_t>(bytes_, at);
    LONGCONV_CHECK(value < layout_.vocabulary, DataError,
                   "{}: value {} at byte {}, the vocabulary has {}: the file is damaged", path_,
                   value, at, layout_.vocabulary);
    at += step;
  }
  return count;
}

std::int32_t SampleView::column(std::int64_t sample, int column) const {
  const auto at = static_cast<std::size_t>(sample * layout_.columns + column);
  return load<std::int32_t>(bytes_, columns_at_ + at * sizeof(std::int32_t));
}

void SampleView::verify() const {
  for (std::size_t begin = kHeaderBytes; begin < crc_at_; begin += kBlockBytes) {
    const auto block = bytes_.subspan(begin, std::min(kBlockBytes, crc_at_ - begin));
    const auto want = load<std::uint32_t>(
        bytes_, crc_at_ + (begin - kHeaderBytes) / kBlockBytes * sizeof(std::uint32_t));
    const std::uint32_t got = files::crc32c(block);
    LONGCONV_CHECK(got == want, DataError,
                   "{}: bytes {} to {} have CRC-32C {:08x}, the trailer says {:08x}: the file is "
                   "damaged; make it again",
                   path_, begin, begin + block.size(), got, want);
  }
  std::vector<std::int64_t> values;
  for (std::int64_t sample = 0; sample < layout_.samples; ++sample) {
    for (int part = 0; part < layout_.parts; ++part) {
      values.resize(static_cast<std::size_t>(length(sample, part)));
      read(sample, part, values);
    }
  }
}

SampleShard::SampleShard(const std::filesystem::path& path, bool verify)
    : file_(path), view_(file_.bytes(), path.string()) {
  if (verify) {
    file_.advise_sequential();
    view_.verify();
  }
  file_.advise_random();
}

}  // namespace longconv::data
