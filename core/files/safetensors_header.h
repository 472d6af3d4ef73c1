// The JSON header of a safetensors file, read event by event: no tree is built, so a hostile header
// costs neither depth nor more memory than its own size, and a key that comes twice is seen.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::files {

/// {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, as written; only types are checked.
struct HeaderEntry {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct HeaderJson {
  std::map<std::string, HeaderEntry> entries;
  std::map<std::string, std::string> metadata;
};

/// Throws CheckpointError ("path: tensor NAME: ...", or the place in the JSON text).
HeaderJson parse_header_json(std::string_view text, const std::string& path);

}  // namespace longconv::files
