// Any bytes either are a safetensors file whose tensors tile its data, or a CheckpointError.
#include "core/base/error.h"
#include "core/files/safetensors.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const auto header = longconv::files::parse_safetensors(bytes, "input");
    std::size_t total = 0;
    for (const auto& [name, tensor] : header.tensors) {
      promise(name == tensor.name, "a tensor knows its name");
      const auto count = longconv::files::element_count(tensor.shape);
      promise(count.has_value(), "a shape that was accepted can be counted");
      promise(
          static_cast<std::size_t>(*count) * longconv::size_of(tensor.dtype) == tensor.data.size(),
          "shape, dtype and bytes agree");
      longconv::fuzz::touch(tensor.data);
      total += tensor.data.size();
    }
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, data, sizeof(header_bytes));
    promise(8 + header_bytes + total == size, "the tensors tile the data");
  } catch (const longconv::CheckpointError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
