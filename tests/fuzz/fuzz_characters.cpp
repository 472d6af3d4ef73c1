// Any text either is a characters.json, whose characters then all have their own id, or is a
// DataError that names the file.
#include "core/base/error.h"
#include "data/tokenizers/characters.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = longconv::data::parse_characters(text, "input");
    for (std::int32_t id = 3; id < tokenizer->vocab_size(); ++id) {
      const auto back = tokenizer->encode(tokenizer->decode({id}));
      promise(back.size() == 1 && back[0] == id, "an id is a character, and that one the id");
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
