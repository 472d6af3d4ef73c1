// Any bytes either begin with the header of a token shard whose tokens lie inside the file, or are
// a DataError.
#include "core/base/error.h"
#include "data/formats/token_shard.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHeaderBytes = 4096;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const longconv::data::ShardHeader header = longconv::data::parse_shard_header(bytes, "input");
    promise(header.bytes_per_token == 2 || header.bytes_per_token == 4, "tokens have 2 or 4 bytes");
    promise(header.count >= 0 && header.vocab_size >= 1, "counts are counts");
    promise(header.eos_id >= -1 && header.eos_id < header.vocab_size, "EOS is an id");
    promise(size >= kHeaderBytes &&
                static_cast<std::size_t>(header.count) <=
                    (size - kHeaderBytes) / static_cast<std::size_t>(header.bytes_per_token),
            "the tokens lie inside the file");
    longconv::fuzz::touch(bytes.subspan(
        kHeaderBytes,
        static_cast<std::size_t>(header.count) * static_cast<std::size_t>(header.bytes_per_token)));
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
