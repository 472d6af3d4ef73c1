// Pathfinder sets as the Long Range Arena ships them, a folder a level (data.md 1.9):
//
//   imgs/<batch>/sample_<i>.png    metadata/<batch>.npy
//
// Despite its ending a metadata file is text, a line an image: folder, file, number, label, ...
// separated by single spaces. What the published generator itself writes is read too: a true NumPy
// array of strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

struct PathfinderEntry {
  std::string file;  ///< below the level's folder, e.g. "imgs/0/sample_0.png"
  int label = 0;
};

/// One metadata file, text or array. Throws DataError with `path` and line or row: too few fields,
/// no label, a file outside the folder, bytes that are not UTF-8.
std::vector<PathfinderEntry> parse_pathfinder_metadata(std::span<const std::byte> bytes,
                                                       const std::string& path);

/// All entries of a level's folder: metadata files by the number in their name, lines in order.
/// Throws DataError: no metadata, or a file that two lines name.
std::vector<PathfinderEntry> list_pathfinder_files(const std::filesystem::path& folder);

}  // namespace longconv::data
