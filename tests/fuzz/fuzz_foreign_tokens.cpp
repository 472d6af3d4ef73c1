// Any bytes either are a token file of nanoGPT or llm.c, all of whose ids lie in the file, or are a
// DataError.
#include "core/base/error.h"
#include "data/formats/foreign_tokens.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const auto header = longconv::data::parse_foreign_header(bytes, "input");
    promise(header.count >= 0 && header.data_offset <= size, "the ids begin inside the file");
    promise(static_cast<std::size_t>(header.count) * 2 == size - header.data_offset,
            "they are all that follows");
    longconv::fuzz::touch(bytes.subspan(header.data_offset));
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input", 5) == 0, "an error names the file");
  }
  return 0;
}
