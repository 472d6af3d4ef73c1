// Any bytes either are an IDX array whose data are as long as its shape says, or are a DataError.
#include "core/base/error.h"
#include "data/formats/idx_file.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const auto array = longconv::data::parse_idx(bytes, "input");
    std::size_t elements = 1;
    for (const std::int64_t side : array.shape) elements *= static_cast<std::size_t>(side);
    promise(elements == array.data.size(), "the data are as long as the shape says");
    longconv::fuzz::touch(array.data);
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
