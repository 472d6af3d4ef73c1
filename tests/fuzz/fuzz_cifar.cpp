// Any bytes either are whole records with labels of 0 to 9, or are a DataError.
#include "core/base/error.h"
#include "data/formats/cifar_file.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const auto batch = longconv::data::parse_cifar(bytes, "input");
    promise(batch.records > 0, "there is a record");
    for (std::int64_t record = 0; record < batch.records; ++record) {
      promise(batch.label(record) <= 9, "labels are classes");
      promise(batch.colours(record).size() == 3072, "every pixel is there");
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
