// Any bytes either are a .npy array whose shape fits its data, or a DataError.
#include "core/base/error.h"
#include "core/files/npy.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const longconv::files::TensorView view = longconv::files::parse_npy(bytes, "input");
    const auto count = longconv::files::element_count(view.shape);
    promise(count.has_value(), "a shape that was accepted can be counted");
    promise(static_cast<std::size_t>(*count) * longconv::size_of(view.dtype) == view.data.size(),
            "shape, dtype and bytes agree");
    longconv::fuzz::touch(view.data);
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
