// Any bytes either are a PNG image with as many pixels as it says, or are a DataError.
#include "core/base/error.h"
#include "data/formats/png.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto picture = longconv::data::decode_png(std::as_bytes(std::span(data, size)), "input");
    promise(picture.height > 0 && picture.width > 0 && picture.channels == 1, "it is an image");
    promise(picture.pixels.size() ==
                static_cast<std::size_t>(picture.height) * static_cast<std::size_t>(picture.width),
            "every pixel is there");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
