#include "data/formats/hdf5_groups.h"

#include <set>

namespace longconv::data::hdf5 {

namespace {

constexpr std::uint64_t kNodeHeader = 24;
constexpr std::uint64_t kSymbolBytes = 40;
constexpr std::uint32_t kSoftLink = 2;
// HDF5's own nodes have at most a few dozen entries; 2^15 of them are 2^30 chunks two levels up.
constexpr int kMaxLevel = 16;

class TreeReader {
 public:
  TreeReader(const Image& image, TreeKind kind, std::uint64_t key_bytes)
      : image_(image), kind_(kind), key_bytes_(key_bytes) {}

  /// `level` above the leaves, or -1 for the root, whose own word counts.
  void read(std::uint64_t address, int level) {
    if (!seen_.insert(address).second) image_.fail(address, "a node that is in its tree twice");
    Cursor node = image_.at(address, kNodeHeader);
    node.expect("TREE");
    const auto kind = node.number<std::uint8_t>();
    const int here = node.number<std::uint8_t>();
    const std::uint64_t count = node.number<std::uint16_t>();
    if (kind != static_cast<std::uint8_t>(kind_) || here > kMaxLevel ||
        (level >= 0 && here != level)) {
      node.fail(fmt::format("a node of kind {} and level {} where another belongs", kind, here));
    }
    Cursor entries = image_.at(address + kNodeHeader, count * (key_bytes_ + 8));
    for (std::uint64_t i = 0; i < count; ++i) {
      const Cursor key = entries.part(key_bytes_);
      const auto child = entries.number<std::uint64_t>();
      if (here == 0) {
        found.push_back({key, child});
      } else {
        read(child, here - 1);
      }
    }
  }

  std::vector<TreeEntry> found;

 private:
  const Image& image_;
  TreeKind kind_;
  std::uint64_t key_bytes_;
  std::set<std::uint64_t> seen_;
};

}  // namespace

std::vector<TreeEntry> read_tree(const Image& image, std::uint64_t address, TreeKind kind,
                                 std::uint64_t key_bytes) {
  TreeReader reader(image, kind, key_bytes);
  reader.read(address, -1);
  return std::move(reader.found);
}

std::vector<Link> read_symbol_table(const Image& image, Cursor message) {
  const auto tree = message.number<std::uint64_t>();
  Cursor heap = image.at(message.number<std::uint64_t>(), 32);
  heap.expect("HEAP");
  heap.skip(4);
  const auto names_size = heap.number<std::uint64_t>();
  heap.skip(8);
  const auto names_address = heap.number<std::uint64_t>();
  static_cast<void>(image.at(names_address, names_size));

  std::vector<Link> links;
  std::set<std::uint64_t> seen;
  for (const TreeEntry& entry : read_tree(image, tree, TreeKind::group, 8)) {
    if (!seen.insert(entry.child).second) image.fail(entry.child, "symbols that are there twice");
    Cursor node = image.at(entry.child, 8);
    node.expect("SNOD");
    node.skip(2);
    const std::uint64_t count = node.number<std::uint16_t>();
    node = image.at(entry.child + 8, count * kSymbolBytes);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto name = node.number<std::uint64_t>();
      const auto header = node.number<std::uint64_t>();
      const auto kind = node.number<std::uint32_t>();
      node.skip(kSymbolBytes - 20);
      if (name >= names_size) node.fail("a name outside the names");
      if (kind == kSoftLink) continue;
      links.emplace_back(Cursor(image, names_address + name, names_size - name).text(), header);
    }
  }
  return links;
}

std::optional<Link> read_link(Cursor message) {
  if (message.number<std::uint8_t>() != 1) message.fail("a link of an unknown version");
  const auto flags = message.number<std::uint8_t>();
  const std::uint8_t kind = (flags & 8U) != 0 ? message.number<std::uint8_t>() : 0;
  message.skip(((flags & 4U) != 0 ? 8U : 0U) + ((flags & 0x10U) != 0 ? 1U : 0U));
  Cursor name = message.part(message.number_of(std::uint64_t{1} << (flags & 3U)));
  if (kind != 0) return std::nullopt;
  return Link(name.text(), message.number<std::uint64_t>());
}

void check_links_here(Cursor message) {
  message.skip(1);
  const auto flags = message.number<std::uint8_t>();
  message.skip((flags & 1U) != 0 ? 8 : 0);
  if (message.number<std::uint64_t>() != kUndefined) {
    message.fail("so many datasets that their names are kept in a heap of a kind that is not read");
  }
}

}  // namespace longconv::data::hdf5
