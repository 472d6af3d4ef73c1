#include "core/files/safetensors.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/safetensors_header.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

namespace longconv::files {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

constexpr std::size_t kPrefixBytes = sizeof(std::uint64_t);
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr std::size_t kAlignment = 8;  // of the data's begin; spaces fill the header

struct DtypeName {
  std::string_view name;
  Dtype dtype;
};
constexpr DtypeName kDtypes[] = {
    {"F64", Dtype::f64}, {"F32", Dtype::f32},      {"BF16", Dtype::bf16}, {"F16", Dtype::f16},
    {"I64", Dtype::i64}, {"I32", Dtype::i32},      {"I16", Dtype::i16},   {"I8", Dtype::i8},
    {"U8", Dtype::u8},   {"BOOL", Dtype::boolean},
};

std::string_view dtype_word(Dtype dtype) {
  const auto* const row = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                       [&](const DtypeName& d) { return d.dtype == dtype; });
  return row == std::end(kDtypes) ? "unknown" : row->name;
}

/// One header entry against the data section: dtype, shape and span must say the same.
TensorView make_view(const std::string& name, const HeaderEntry& entry,
                     std::span<const std::byte> data, const std::string& path) {
  const auto* const row = std::find_if(std::begin(kDtypes), std::end(kDtypes),
                                       [&](const DtypeName& d) { return d.name == entry.dtype; });
  LONGCONV_CHECK(row != std::end(kDtypes), CheckpointError,
                 "{}: tensor {}: dtype \"{}\" is not one of F64, F32, BF16, F16, I64, I32, I16, "
                 "I8, U8, BOOL",
                 path, name, entry.dtype);
  LONGCONV_CHECK(entry.begin <= entry.end && entry.end <= data.size(), CheckpointError,
                 "{}: tensor {}: data_offsets [{}, {}] lie outside the {} data bytes of the file; "
                 "is it truncated?",
                 path, name, entry.begin, entry.end, data.size());
  const std::optional<std::int64_t> count = element_count(entry.shape);
  std::uint64_t want = 0;
  LONGCONV_CHECK(count && !__builtin_mul_overflow(static_cast<std::uint64_t>(*count),
                                                  size_of(row->dtype), &want),
                 CheckpointError, "{}: tensor {}: shape {} has more elements than memory", path,
                 name, shape_words(entry.shape));
  LONGCONV_CHECK(want == entry.end - entry.begin, CheckpointError,
                 "{}: tensor {}: {} {} needs {} bytes, data_offsets [{}, {}] give {}", path, name,
                 shape_words(entry.shape), entry.dtype, want, entry.begin, entry.end,
                 entry.end - entry.begin);
  return {name, row->dtype, entry.shape, data.subspan(entry.begin, want)};
}

/// Tensors must tile the data section: no byte twice, none unnamed.
void check_tiling(const std::map<std::string, HeaderEntry>& entries, std::uint64_t data_bytes,
                  const std::string& path) {
  using Item = std::pair<const std::string, HeaderEntry>;
  std::vector<const Item*> order;
  order.reserve(entries.size());
  for (const Item& item : entries) order.push_back(&item);
  std::sort(order.begin(), order.end(), [](const Item* a, const Item* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t at = 0;
  for (const Item* item : order) {
    LONGCONV_CHECK(
        item->second.begin == at, CheckpointError,
        "{}: tensor {}: data begin at byte {}, expected {} ({})", path, item->first,
        item->second.begin, at,
        item->second.begin < at ? "it overlaps another tensor" : "a gap that belongs to no tensor");
    at = item->second.end;
  }
  LONGCONV_CHECK(at == data_bytes, CheckpointError,
                 "{}: the tensors end at data byte {}, the file has {}: bytes that belong to no "
                 "tensor",
                 path, at, data_bytes);
}

}  // namespace

std::optional<std::int64_t> element_count(std::span<const std::int64_t> shape) noexcept {
  std::int64_t count = 1;
  bool overflow = false;
  bool empty = false;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    empty = empty || dimension == 0;
    overflow = overflow || __builtin_mul_overflow(count, dimension, &count);
  }
  if (empty) return 0;
  return overflow ? std::nullopt : std::optional(count);
}

std::string shape_words(std::span<const std::int64_t> shape) {
  constexpr std::size_t kMost = 16;  // a hostile shape may have millions of dimensions
  return fmt::format("[{}{}]", fmt::join(shape.first(std::min(shape.size(), kMost)), ", "),
                     shape.size() > kMost ? ", ..." : "");
}

SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, const std::string& path) {
  LONGCONV_CHECK(bytes.size() >= kPrefixBytes, CheckpointError,
                 "{}: expected a safetensors file, which has at least 8 bytes, got {}", path,
                 bytes.size());
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), kPrefixBytes);
  const std::span<const std::byte> rest = bytes.subspan(kPrefixBytes);
  LONGCONV_CHECK(header_bytes <= kMaxHeaderBytes && header_bytes <= rest.size(), CheckpointError,
                 "{}: the header claims {} bytes, but {} follow (and {} are allowed); not a "
                 "safetensors file, or truncated",
                 path, header_bytes, rest.size(), kMaxHeaderBytes);
  const std::span<const std::byte> data = rest.subspan(header_bytes);
  HeaderJson json = parse_header_json(
      {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(header_bytes)}, path);
  SafetensorsHeader header;
  header.metadata = std::move(json.metadata);
  for (const auto& [name, entry] : json.entries) {
    header.tensors.emplace(name, make_view(name, entry, data, path));
  }
  check_tiling(json.entries, data.size(), path);
  return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(map_weights(path)), header_(parse_safetensors(file_.bytes(), path.string())) {}

std::string safetensors_header(const std::vector<TensorView>& tensors,
                               const std::map<std::string, std::string>& metadata,
                               const std::filesystem::path& path) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string_view> names{"__metadata__"};
  std::uint64_t at = 0;
  for (const TensorView& tensor : tensors) {
    const std::optional<std::int64_t> count = element_count(tensor.shape);
    LONGCONV_CHECK(names.insert(tensor.name).second, ShapeError, "{}: two tensors are called {}",
                   path.string(), tensor.name);
    std::uint64_t end = 0;
    LONGCONV_CHECK(count &&
                       !__builtin_mul_overflow(static_cast<std::uint64_t>(*count),
                                               size_of(tensor.dtype), &end) &&
                       !__builtin_add_overflow(at, end, &end),
                   ShapeError, "{}: tensor {}: shape {} has more elements than memory",
                   path.string(), tensor.name, shape_words(tensor.shape));
    // push_back: operator[] of ordered_json searches all keys before it.
    header.get_ref<nlohmann::ordered_json::object_t&>().push_back(
        {tensor.name,
         {{"dtype", dtype_word(tensor.dtype)},
          {"shape", tensor.shape},
          {"data_offsets", {at, end}}}});
    at = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception& error) {  // text that is not UTF-8
    throw ShapeError(fmt::format("{}: cannot write the header: {}", path.string(), error.what()));
  }
  text.append((kAlignment - (kPrefixBytes + text.size()) % kAlignment) % kAlignment, ' ');
  LONGCONV_CHECK(text.size() <= kMaxHeaderBytes, ShapeError,
                 "{}: the header would have {} bytes, the format allows {}", path.string(),
                 text.size(), kMaxHeaderBytes);
  const std::uint64_t header_bytes = text.size();
  return std::string(reinterpret_cast<const char*>(&header_bytes), kPrefixBytes) + text;
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = safetensors_header(tensors, metadata, path);
  for (const TensorView& tensor : tensors) {
    const auto count = static_cast<std::uint64_t>(*element_count(tensor.shape));
    LONGCONV_CHECK(count * size_of(tensor.dtype) == tensor.data.size(), ShapeError,
                   "{}: tensor {}: {} {} does not fit its {} bytes", path.string(), tensor.name,
                   shape_words(tensor.shape), name(tensor.dtype), tensor.data.size());
  }
  AtomicFile file(path);
  file.write(header);
  for (const TensorView& tensor : tensors) file.write(tensor.data);
  file.commit();
}

}  // namespace longconv::files
