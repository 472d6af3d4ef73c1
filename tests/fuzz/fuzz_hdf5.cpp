// Any bytes either are an HDF5 file of series or of tokens whose sizes agree, or are a DataError.
// The library reads files and not memory, so the input goes through one.
#include "core/base/error.h"
#include "data/formats/hdf5_series.h"
#include "data/formats/hdf5_tokens.h"
#include "tests/fuzz/fuzz_target.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

using longconv::fuzz::promise;

namespace {

/// The file of this process that holds the input; in memory where there is such a file system.
const std::string& input_path() {
  static const std::string path = [] {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    return (memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
           "/longconv_fuzz_hdf5." + std::to_string(::getpid());
  }();
  return path;
}

class InputFile {
 public:
  InputFile(const std::uint8_t* data, std::size_t size) {
    std::ofstream(input_path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  ~InputFile() { ::unlink(input_path().c_str()); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
};

void check_series(const std::string& path) {
  const longconv::data::Series series = longconv::data::read_series(path);
  const auto steps = static_cast<std::size_t>(series.subjects * series.length);
  promise(series.values.size() == steps * static_cast<std::size_t>(series.channels),
          "values fill their shape");
  promise(series.mask.size() == steps, "every step has a mask");
  promise(std::all_of(series.mask.begin(), series.mask.end(), [](auto each) { return each <= 1; }),
          "which is 0 or 1");
  promise(
      series.labels.empty() || series.labels.size() == static_cast<std::size_t>(series.subjects),
      "a label a subject");
}

void check_tokens(const std::string& path) {
  const longconv::data::Hdf5Tokens tokens(path);
  const auto starts = tokens.document_starts();
  promise(std::is_sorted(starts.begin(), starts.end()), "documents follow one another");
  std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens.header().count));
  tokens.read(0, ids);
  promise(std::all_of(ids.begin(), ids.end(),
                      [&](auto id) { return id >= 0 && id < tokens.header().vocab_size; }),
          "ids are in the vocabulary");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const InputFile file(data, size);
  const std::string& path = input_path();
  try {
    if (longconv::data::is_series(path)) {
      check_series(path);
    } else {
      check_tokens(path);
    }
  } catch (const longconv::DataError& error) {
    promise(path.compare(0, path.size(), error.what(), path.size()) == 0,
            "an error names the file");
  }
  return 0;
}
