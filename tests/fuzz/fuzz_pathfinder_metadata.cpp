// Any bytes either are entries of files below the folder with labels 0 or 1, or are a DataError.
#include "core/base/error.h"
#include "data/formats/pathfinder_files.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    for (const auto& entry : longconv::data::parse_pathfinder_metadata(bytes, "input")) {
      promise(entry.label == 0 || entry.label == 1, "labels are 0 or 1");
      promise(!entry.file.starts_with("/") && entry.file.find("/../") == std::string::npos &&
                  !entry.file.starts_with("../"),
              "files lie below the folder");
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
