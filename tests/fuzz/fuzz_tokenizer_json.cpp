// Any text either is a tokenizer.json of a byte-level vocabulary, the same once written and read
// again, or is a DataError that names the file.
#include "core/base/error.h"
#include "data/tokenizers/bpe.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace data_room = longconv::data;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto vocabulary = data_room::parse_tokenizer_json(text, "input");
    for (const data_room::BpeMerge& merge : vocabulary.merges) {
      const auto count = static_cast<std::int32_t>(vocabulary.tokens.size());
      promise(merge.left >= 0 && merge.left < count && merge.right >= 0 && merge.right < count &&
                  merge.result >= 0 && merge.result < count,
              "merges join ids to ids");
    }
    const std::string written = data_room::write_tokenizer_json(vocabulary);
    const auto again = data_room::parse_tokenizer_json(written, "written");
    promise(data_room::content_of(again) == data_room::content_of(vocabulary),
            "what was written is what is read");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
