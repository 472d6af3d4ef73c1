// Any bytes either are BED with stretches that are not empty, or are a DataError.
#include "core/base/error.h"
#include "data/formats/bed.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    longconv::data::for_each_bed_row(
        text, "input", [](const longconv::data::BedRow& row, const std::string&) {
          promise(!row.sequence.empty() && row.start >= 0 && row.start < row.end,
                  "a stretch has a name and a length");
        });
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
