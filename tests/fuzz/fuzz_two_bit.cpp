// Any bytes either are a 2bit file of which every base can be read, or are a DataError.
#include "core/base/error.h"
#include "data/formats/two_bit.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const longconv::data::TwoBitView view(bytes, "input");
    for (std::size_t i = 0; i < view.size(); ++i) {
      std::string bases(static_cast<std::size_t>(view.length(i)), '\0');
      view.read(i, 0, bases);
      const bool letters = std::all_of(bases.begin(), bases.end(), [](char base) {
        return std::strchr("ACGTNacgtn", base) != nullptr && base != '\0';
      });
      promise(letters, "every base is a letter");
      const std::int64_t half = view.length(i) / 2;
      std::string rest(static_cast<std::size_t>(view.length(i) - half), '\0');
      view.read(i, half, rest);
      promise(bases.ends_with(rest), "a window is part of the whole");
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
