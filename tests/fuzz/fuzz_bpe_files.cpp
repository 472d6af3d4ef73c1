// Any two texts either are the merges and ids of a byte-level vocabulary, which then gives back
// whatever it encodes, or are a DataError that names the file. The input is the one, a NUL, the
// other.
#include "core/base/error.h"
#include "data/tokenizers/bpe.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(input.find('\0'), input.size());
  const std::string_view merges = input.substr(0, cut);
  const std::string_view ids = input.substr(std::min(cut + 1, input.size()));
  try {
    const auto tokenizer =
        longconv::data::make_bpe(longconv::data::parse_bpe_files(merges, "merges", ids, "ids"));
    promise(tokenizer->vocab_size() >= 256, "all bytes have a token");
    promise(tokenizer->decode(tokenizer->encode(merges)) == merges, "every text comes back");
  } catch (const longconv::DataError& error) {
    promise(
        std::strncmp(error.what(), "merges:", 7) == 0 || std::strncmp(error.what(), "ids:", 4) == 0,
        "an error names the file");
  }
  return 0;
}
