#include "data/formats/hdf5_reader.h"

#include "data/formats/hdf5_groups.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

namespace longconv::data::hdf5 {

namespace {

constexpr std::string_view kSignature("\211HDF\r\n\032\n", 8);
constexpr std::uint8_t kShared = 2;
// Deflate, the densest of the filters read, cannot pack tighter than this.
constexpr std::uint64_t kMaxCompression = 1032;

/// Elements of `bytes`, of either byte order, one after another.
template <class Bits, class Take>
void each_of(std::span<const std::byte> bytes, bool big_endian, const Take& take) {
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    std::array<std::byte, sizeof(Bits)> element{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), sizeof(Bits), element.begin());
    if (big_endian) std::reverse(element.begin(), element.end());
    Bits bits{};
    std::memcpy(&bits, element.data(), sizeof bits);
    take(bits);
  }
}

template <class Signed, class Unsigned>
void add_integers(std::span<const std::byte> bytes, const Dataset& dataset,
                  std::vector<std::int64_t>& out) {
  each_of<Unsigned>(bytes, dataset.type.big_endian, [&](Unsigned bits) {
    if (dataset.type.is_signed) {
      out.push_back(static_cast<Signed>(bits));
      return;
    }
    const std::uint64_t value = bits;
    LONGCONV_CHECK(value <= std::numeric_limits<std::int64_t>::max(), DataError,
                   "{}: {} is more than 63 bits hold", dataset.where, value);
    out.push_back(static_cast<std::int64_t>(value));
  });
}

std::vector<std::int64_t> to_integers(std::span<const std::byte> bytes, const Dataset& dataset) {
  std::vector<std::int64_t> out;
  out.reserve(bytes.size() / dataset.type.bytes);
  switch (dataset.type.bytes) {
    case 1:
      add_integers<std::int8_t, std::uint8_t>(bytes, dataset, out);
      break;
    case 2:
      add_integers<std::int16_t, std::uint16_t>(bytes, dataset, out);
      break;
    case 4:
      add_integers<std::int32_t, std::uint32_t>(bytes, dataset, out);
      break;
    default:
      add_integers<std::int64_t, std::uint64_t>(bytes, dataset, out);
      break;
  }
  return out;
}

/// What the file stores of it at most, decompressed.
std::uint64_t stored_bytes(const Image& image, const Dataset& dataset) {
  if (dataset.layout.kind != Layout::Kind::chunked) {
    const bool there = dataset.layout.address != kUndefined;
    LONGCONV_CHECK(!there || dataset.layout.size <= image.bytes.size(), DataError,
                   "{}: stores {} bytes, more than the whole file", dataset.where,
                   dataset.layout.size);
    return there ? dataset.layout.size : 0;
  }
  // No chunk lies outside the file, and none is there without an index.
  const std::uint64_t most = dataset.layout.address == kUndefined ? 0 : image.bytes.size();
  return dataset.filters.empty() ? most : most * kMaxCompression;
}

}  // namespace

std::uint64_t Dataset::row() const { return shape[0] == 0 ? 0 : elements / shape[0]; }

Reader::Reader(const std::filesystem::path& path) : file_(path), image_{{}, path.string()} {
  find_root();
}

void Reader::find_root() {
  const auto file = file_.bytes();
  // At the beginning, or behind a block of the user's of 512 bytes or a power of two more.
  std::uint64_t base = 0;
  while (base + kSignature.size() <= file.size() &&
         std::memcmp(file.data() + base, kSignature.data(), kSignature.size()) != 0) {
    base = base == 0 ? 512 : 2 * base;
  }
  if (base + kSignature.size() > file.size()) {
    image_.fail(0, "HDF5's signature is not there");
  }
  image_.bytes = file.subspan(base);
  Cursor block = image_.at(0, std::min<std::uint64_t>(image_.bytes.size(), 128));
  block.skip(kSignature.size());
  const auto version = block.number<std::uint8_t>();
  if (version > 3) block.fail(fmt::format("a superblock of version {}, 0 to 3 are read", version));
  if (version < 2) block.skip(4);
  const auto offset_bytes = block.number<std::uint8_t>();
  const auto length_bytes = block.number<std::uint8_t>();
  if (offset_bytes != 8 || length_bytes != 8) {
    block.fail(fmt::format("addresses of {} and lengths of {} bytes, 8 are read", offset_bytes,
                           length_bytes));
  }
  // Flags, and for the old ones how wide B-trees are.
  block.skip(version == 0 ? 9 : version == 1 ? 13 : 1);
  const auto says = block.number<std::uint64_t>();
  if (says != base) block.fail(fmt::format("addresses count from {}, not from here", says));
  block.skip(8);
  // Unlike all other addresses it counts from the file's begin.
  const auto end = block.number<std::uint64_t>();
  if (end > file.size()) {
    block.fail(
        fmt::format("the file should have {} bytes and has {}: truncated", end, file.size()));
  }
  if (version < 2) block.skip(16);
  read_root(block.number<std::uint64_t>());
}

void Reader::read_root(std::uint64_t address) {
  for (const Message& message : read_header(image_, address)) {
    switch (message.type) {
      case MessageType::symbol_table:
        for (auto& [name, at] : read_symbol_table(image_, message.data)) links_[name] = at;
        break;
      case MessageType::link:
        if (const auto link = read_link(message.data)) links_[link->first] = link->second;
        break;
      case MessageType::link_info:
        check_links_here(message.data);
        break;
      case MessageType::attribute:
        attributes_.push_back(message);
        break;
      default:
        break;
    }
  }
}

Dataset Reader::dataset(const std::string& name, std::size_t rank) const {
  Dataset out;
  out.where = fmt::format("{}: /{}", path(), name);
  const auto link = links_.find(name);
  LONGCONV_CHECK(link != links_.end(), DataError, "{}: no such dataset", out.where);
  bool has_shape = false;
  bool has_type = false;
  bool has_layout = false;
  for (const Message& message : read_header(image_, link->second)) {
    const bool wanted = message.type == MessageType::dataspace ||
                        message.type == MessageType::datatype ||
                        message.type == MessageType::layout || message.type == MessageType::filters;
    LONGCONV_CHECK(!wanted || (message.flags & kShared) == 0, DataError,
                   "{}: its type or shape is kept elsewhere in the file, which is not read",
                   out.where);
    LONGCONV_CHECK(message.type != MessageType::external_files, DataError,
                   "{}: its data are in other files, which are not read", out.where);
    if (message.type == MessageType::dataspace) {
      out.shape = read_dataspace(message.data);
      has_shape = true;
    } else if (message.type == MessageType::datatype) {
      out.type = read_datatype(message.data);
      has_type = true;
    } else if (message.type == MessageType::layout) {
      out.layout = read_layout(message.data);
      has_layout = true;
    } else if (message.type == MessageType::filters) {
      out.filters = read_filters(message.data);
    }
  }
  LONGCONV_CHECK(has_shape && has_type && has_layout, DataError, "{}: not a dataset", out.where);
  LONGCONV_CHECK(out.shape.size() == rank, DataError, "{}: expected {} dimensions, the file has {}",
                 out.where, rank, out.shape.size());
  std::uint64_t bytes = out.type.bytes;
  LONGCONV_CHECK(bytes > 0, DataError, "{}: elements of no bytes", out.where);
  for (const std::uint64_t size : out.shape) {
    LONGCONV_CHECK(!__builtin_mul_overflow(bytes, size, &bytes), DataError,
                   "{}: its size overflows; the file is damaged", out.where);
  }
  out.elements = bytes / out.type.bytes;
  const std::uint64_t stored = stored_bytes(image_, out);
  LONGCONV_CHECK(bytes <= stored, DataError,
                 "{}: promises {} elements of {} bytes, but the file stores at most {} bytes of it",
                 out.where, out.elements, out.type.bytes, stored);
  if (out.layout.kind == Layout::Kind::chunked && bytes > 0) {
    out.chunks = read_chunk_index(image_, out);
  }
  return out;
}

std::vector<std::int64_t> Reader::integers(const Dataset& dataset, std::uint64_t first,
                                           std::uint64_t rows) const {
  return to_integers(read_rows(image_, dataset, first, rows), dataset);
}

std::vector<float> Reader::reals(const Dataset& dataset) const {
  const std::vector<std::byte> bytes = read_rows(image_, dataset, 0, dataset.shape[0]);
  std::vector<float> out;
  out.reserve(dataset.elements);
  const auto add = [&](auto value) { out.push_back(static_cast<float>(value)); };
  if (dataset.type.bytes == sizeof(float)) {
    each_of<float>(bytes, dataset.type.big_endian, add);
  } else {
    each_of<double>(bytes, dataset.type.big_endian, add);
  }
  return out;
}

Attribute Reader::attribute(const std::string& name) const {
  for (const Message& message : attributes_) {
    Attribute found = read_attribute(message);
    if (found.name != name) continue;
    const bool one = std::all_of(found.shape.begin(), found.shape.end(),
                                 [](std::uint64_t size) { return size == 1; });
    LONGCONV_CHECK(one, DataError, "{}: attribute {}: expected one value", path(), name);
    return found;
  }
  throw DataError(fmt::format(
      "{}: no attribute {}; a token container has eos_id, vocab_size and tokenizer_sha256", path(),
      name));
}

std::int64_t Reader::integer_attribute(const std::string& name) const {
  Attribute found = attribute(name);
  LONGCONV_CHECK(found.type.kind == Type::Kind::integer, DataError,
                 "{}: attribute {}: expected an integer", path(), name);
  Dataset one;
  one.where = fmt::format("{}: attribute {}", path(), name);
  one.type = found.type;
  return to_integers(found.data.take(found.type.bytes), one).front();
}

std::string Reader::text_attribute(const std::string& name) const {
  Attribute found = attribute(name);
  if (found.type.kind == Type::Kind::variable_text) return read_variable_text(image_, found.data);
  LONGCONV_CHECK(found.type.kind == Type::Kind::text, DataError,
                 "{}: attribute {}: expected a string", path(), name);
  return found.data.part(found.type.bytes).text();
}

}  // namespace longconv::data::hdf5
