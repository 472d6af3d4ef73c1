#include "data/formats/hdf5_messages.h"

#include <algorithm>
#include <set>

namespace longconv::data::hdf5 {

namespace {

constexpr std::uint64_t kMaxRank = 32;  // HDF5's own limit
constexpr std::uint64_t kMaxText = 4096;
constexpr std::size_t kMaxMessages = 65535;  // what a header of version 1 can count
constexpr std::uint8_t kShared = 2;          // a flag of messages
constexpr char kRewrite[] =
    "; rewrite the file with `h5repack -l CONTI` or h5py's libver='earliest'";

std::uint32_t rotate(std::uint32_t word, int by) { return word << by | word >> (32 - by); }

/// Bob Jenkins's lookup3, hashlittle() with 0 to start: the checksum of newer metadata.
std::uint32_t lookup3(std::span<const std::byte> bytes) {
  std::uint32_t a = 0xdeadbeefU + static_cast<std::uint32_t>(bytes.size());
  std::uint32_t b = a;
  std::uint32_t c = a;
  while (bytes.size() > 12) {
    std::uint32_t words[3];
    std::memcpy(words, bytes.data(), sizeof words);
    a += words[0], b += words[1], c += words[2];
    a -= c, a ^= rotate(c, 4), c += b;
    b -= a, b ^= rotate(a, 6), a += c;
    c -= b, c ^= rotate(b, 8), b += a;
    a -= c, a ^= rotate(c, 16), c += b;
    b -= a, b ^= rotate(a, 19), a += c;
    c -= b, c ^= rotate(b, 4), b += a;
    bytes = bytes.subspan(12);
  }
  if (bytes.empty()) return c;
  std::uint32_t words[3] = {};
  std::memcpy(words, bytes.data(), bytes.size());
  a += words[0], b += words[1], c += words[2];
  c ^= b, c -= rotate(b, 14);
  a ^= c, a -= rotate(c, 11);
  b ^= a, b -= rotate(a, 25);
  c ^= b, c -= rotate(b, 16);
  a ^= c, a -= rotate(c, 4);
  b ^= a, b -= rotate(a, 14);
  c ^= b, c -= rotate(b, 24);
  return c;
}

/// Collects the messages of a header's blocks, of which each is read once.
class HeaderReader {
 public:
  HeaderReader(const Image& image, std::uint64_t address) : image_(image) {
    Cursor begin = image.at(address, 4);
    if (begin.number<std::uint8_t>() == 1) {
      Cursor header = image.at(address, 16);
      header.skip(8);
      add(address + 16, header.number<std::uint32_t>());
    } else {
      begin_newer(address);
    }
    // Blocks are found while others are read.
    for (std::size_t i = 0; i < blocks_.size(); ++i) read(blocks_[i].first, blocks_[i].second);
  }
  std::vector<Message> take() { return std::move(messages_); }

 private:
  void add(std::uint64_t address, std::uint64_t size) {
    if (!seen_.insert(address).second) image_.fail(address, "a header that continues in itself");
    blocks_.emplace_back(address, size);
  }

  void begin_newer(std::uint64_t address) {
    newer_ = true;
    Cursor header = image_.at(address, std::min<std::uint64_t>(64, image_.bytes.size() - address));
    header.expect("OHDR");
    if (header.number<std::uint8_t>() != 2) header.fail("an object header of an unknown version");
    const auto flags = header.number<std::uint8_t>();
    creation_order_ = (flags & 4U) != 0;
    header.skip(((flags & 0x20U) != 0 ? 16U : 0U) + ((flags & 0x10U) != 0 ? 4U : 0U));
    const std::uint64_t size = header.number_of(std::uint64_t{1} << (flags & 3U));
    const std::uint64_t before = header.address() - address;
    if (size > image_.bytes.size()) header.fail("an object header larger than the file");
    check_sum(address, before + size);
    add(header.address(), size);
  }

  void check_sum(std::uint64_t address, std::uint64_t size) const {
    Cursor block = image_.at(address, size + 4);
    const std::uint32_t got = lookup3(block.take(size));
    if (got != block.number<std::uint32_t>())
      image_.fail(address, "a header with a wrong checksum");
  }

  void read(std::uint64_t address, std::uint64_t size) {
    Cursor block = image_.at(address, size);
    const std::uint64_t prefix = newer_ ? (creation_order_ ? 6 : 4) : 8;
    while (block.left() >= prefix) {
      if (++count_ > kMaxMessages) block.fail("a header of too many messages");
      Message message{{}, 0, block};
      std::uint64_t bytes = 0;
      if (newer_) {
        message.type = static_cast<MessageType>(block.number<std::uint8_t>());
        bytes = block.number<std::uint16_t>();
        message.flags = block.number<std::uint8_t>();
        block.skip(creation_order_ ? 2 : 0);
      } else {
        message.type = static_cast<MessageType>(block.number<std::uint16_t>());
        bytes = block.number<std::uint16_t>();
        message.flags = block.number<std::uint8_t>();
        block.skip(3);
      }
      message.data = block.part(bytes);
      if (message.type == MessageType::continuation) {
        Cursor where = message.data;
        const auto next = where.number<std::uint64_t>();
        follow(next, where.number<std::uint64_t>());
      } else {
        messages_.push_back(message);
      }
    }
  }

  void follow(std::uint64_t address, std::uint64_t size) {
    if (!newer_) return add(address, size);
    Cursor block = image_.at(address, size);
    block.expect("OCHK");
    if (size < 8) block.fail("a header's continuation without a checksum");
    check_sum(address, size - 4);
    add(address + 4, size - 8);
  }

  const Image& image_;
  bool newer_ = false;
  bool creation_order_ = false;
  std::size_t count_ = 0;  // of messages, continuations too
  std::set<std::uint64_t> seen_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks_;
  std::vector<Message> messages_;
};

std::uint64_t padded(std::uint64_t size) { return (size + 7) / 8 * 8; }

}  // namespace

std::vector<Message> read_header(const Image& image, std::uint64_t address) {
  return HeaderReader(image, address).take();
}

std::vector<std::uint64_t> read_dataspace(Cursor data) {
  const auto version = data.number<std::uint8_t>();
  const auto rank = data.number<std::uint8_t>();
  data.skip(1);
  if ((version != 1 && version != 2) || rank > kMaxRank) data.fail("an unknown kind of shape");
  const auto kind = data.number<std::uint8_t>();
  if (version == 1) data.skip(4);
  std::vector<std::uint64_t> shape(rank);
  for (std::uint64_t& size : shape) size = data.number<std::uint64_t>();
  if (version == 2 && kind == 2) shape.assign(1, 0);  // no value at all
  return shape;
}

Type read_datatype(Cursor data) {
  const auto kind = data.number<std::uint8_t>();
  const auto bits = data.number<std::uint8_t>();
  data.skip(2);
  Type type;
  type.bytes = data.number<std::uint32_t>();
  type.big_endian = (bits & 1U) != 0;
  switch (kind & 0x0fU) {
    case 0: {  // whole numbers, of which all bits count
      const auto offset = data.number<std::uint16_t>();
      const auto precision = data.number<std::uint16_t>();
      const bool usual = type.bytes == 1 || type.bytes == 2 || type.bytes == 4 || type.bytes == 8;
      if (usual && offset == 0 && precision == 8 * type.bytes) type.kind = Type::Kind::integer;
      type.is_signed = (bits & 8U) != 0;
      break;
    }
    case 1: {  // floats; these numbers say that it is IEEE's
      const auto offset = data.number<std::uint16_t>();
      const auto precision = data.number<std::uint16_t>();
      const auto exponent_at = data.number<std::uint8_t>();
      const auto exponent = data.number<std::uint8_t>();
      const auto mantissa_at = data.number<std::uint8_t>();
      const auto mantissa = data.number<std::uint8_t>();
      const auto bias = data.number<std::uint32_t>();
      const bool single = type.bytes == 4 && exponent_at == 23 && exponent == 8 && bias == 127;
      const bool twice = type.bytes == 8 && exponent_at == 52 && exponent == 11 && bias == 1023;
      if ((single || twice) && offset == 0 && precision == 8 * type.bytes && mantissa_at == 0 &&
          mantissa == exponent_at && (bits & 0x40U) == 0) {
        type.kind = Type::Kind::real;
      }
      break;
    }
    case 3:
      type.kind = Type::Kind::text;
      break;
    case 9:
      if ((bits & 0x0fU) == 1 && type.bytes == 16) type.kind = Type::Kind::variable_text;
      break;
    default:
      break;
  }
  return type;
}

Layout read_layout(Cursor data) {
  const auto version = data.number<std::uint8_t>();
  if (version != 3 && version != 4) {
    data.fail(fmt::format("a layout of version {}, not 3{}", version, kRewrite));
  }
  Layout layout;
  switch (const auto kind = data.number<std::uint8_t>(); kind) {
    case 0:
      layout.size = data.number<std::uint16_t>();
      layout.address = data.address();
      data.skip(layout.size);
      break;
    case 1:
      layout.kind = Layout::Kind::contiguous;
      layout.address = data.number<std::uint64_t>();
      layout.size = data.number<std::uint64_t>();
      break;
    case 2: {
      if (version != 3) data.fail(fmt::format("chunks with a newer index{}", kRewrite));
      layout.kind = Layout::Kind::chunked;
      const auto rank = data.number<std::uint8_t>();  // one more than the data's
      if (rank < 2 || rank > kMaxRank + 1) data.fail("chunks of an impossible rank");
      layout.address = data.number<std::uint64_t>();
      for (int i = 0; i + 1 < rank; ++i) layout.chunk.push_back(data.number<std::uint32_t>());
      break;
    }
    default:
      data.fail(fmt::format("a layout of kind {}: data in other files are not read", kind));
  }
  return layout;
}

std::vector<Filter> read_filters(Cursor data) {
  const auto version = data.number<std::uint8_t>();
  const auto count = data.number<std::uint8_t>();
  if (version != 1 && version != 2) data.fail("an unknown kind of filters");
  if (version == 1) data.skip(6);
  std::vector<Filter> filters(count);
  for (Filter& filter : filters) {
    filter.id = data.number<std::uint16_t>();
    const bool named = version == 1 || filter.id >= 256;
    const std::uint64_t name = named ? data.number<std::uint16_t>() : 0U;
    data.skip(2);
    filter.values.resize(data.number<std::uint16_t>());
    data.skip(version == 1 ? padded(name) : name);
    for (std::uint32_t& value : filter.values) value = data.number<std::uint32_t>();
    if (version == 1 && filter.values.size() % 2 == 1) data.skip(4);
  }
  return filters;
}

Attribute read_attribute(const Message& message) {
  Cursor data = message.data;
  const auto version = data.number<std::uint8_t>();
  const auto flags = data.number<std::uint8_t>();
  if (version < 1 || version > 3 || (message.flags & kShared) != 0 ||
      (version > 1 && (flags & 3U) != 0)) {
    data.fail("an attribute of a kind that is not read");
  }
  const std::uint64_t name = data.number<std::uint16_t>();
  const std::uint64_t type = data.number<std::uint16_t>();
  const std::uint64_t space = data.number<std::uint16_t>();
  if (version == 3) data.skip(1);
  const auto part = [&](std::uint64_t size) {
    return data.part(version == 1 ? padded(size) : size);
  };
  Attribute out{part(name).text(), {}, read_datatype(part(type)), data};
  out.shape = read_dataspace(part(space));
  out.data = data;
  return out;
}

std::string read_variable_text(const Image& image, Cursor data) {
  const auto length = data.number<std::uint32_t>();
  const auto address = data.number<std::uint64_t>();
  const auto wanted = data.number<std::uint32_t>();
  if (length == 0) return {};
  if (length > kMaxText) data.fail(fmt::format("a string of {} bytes", length));
  Cursor heap = image.at(address, 16);
  heap.expect("GCOL");
  heap.skip(4);
  const auto size = heap.number<std::uint64_t>();
  if (size < 16) heap.fail("a heap smaller than its own header");
  heap = image.at(address, size);
  heap.skip(16);
  while (heap.left() >= 16) {
    const auto index = heap.number<std::uint16_t>();
    heap.skip(6);
    const auto bytes = heap.number<std::uint64_t>();
    if (index == 0 || bytes > heap.left()) break;  // the free space, or damage
    Cursor object = heap.part(bytes);
    if (index == wanted) return object.part(std::min<std::uint64_t>(length, bytes)).text();
    heap.skip(std::min(padded(bytes) - bytes, heap.left()));
  }
  heap.fail(fmt::format("no string {} in this heap", wanted));
}

}  // namespace longconv::data::hdf5
