// Any text either is a WordPiece vocabulary, whose ids are then those of a text, or is a DataError
// that names the file. The text to encode is the vocabulary's own.
#include "core/base/error.h"
#include "data/tokenizers/wordpiece.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = longconv::data::parse_wordpiece(text, "input");
    const auto ids = tokenizer->encode(text);
    const std::string words = tokenizer->decode(ids);
    promise(ids.size() <= text.size() && words.size() <= 6 * text.size(),
            "an id stands for a byte or more, and none for more than \"[UNK] \"");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
