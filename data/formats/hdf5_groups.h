// What a group of an HDF5 file contains: names and the object headers they stand for; and the
// B-trees that find them, and chunks of data. From the format's specification, III.A to III.D and
// IV.A.2.
#pragma once

#include "data/formats/hdf5_image.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data::hdf5 {

using Link = std::pair<std::string, std::uint64_t>;

/// Of an older group: a B-tree of symbols, whose names are in a heap. Soft links are left out.
/// Throws DataError.
std::vector<Link> read_symbol_table(const Image& image, Cursor message);
/// Of a newer group, one link a message; nothing for links to other paths or files.
std::optional<Link> read_link(Cursor message);
/// Throws DataError if a newer group keeps its links elsewhere, which is not read.
void check_links_here(Cursor message);

struct TreeEntry {
  Cursor key;
  std::uint64_t child = 0;
};
enum class TreeKind : std::uint8_t { group = 0, chunks = 1 };
/// The entries of the leaves of the version 1 B-tree at `address`, in order. Throws DataError.
std::vector<TreeEntry> read_tree(const Image& image, std::uint64_t address, TreeKind kind,
                                 std::uint64_t key_bytes);

}  // namespace longconv::data::hdf5
