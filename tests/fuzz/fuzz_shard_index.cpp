// Any bytes either are the document index of a shard of 1,000 tokens, with starts in order, or are
// a DataError.
#include "core/base/error.h"
#include "data/formats/token_shard.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  longconv::data::ShardHeader shard;
  shard.count = 1000;
  try {
    const auto starts =
        longconv::data::parse_shard_index(std::as_bytes(std::span(data, size)), shard, "input");
    promise(std::is_sorted(starts.begin(), starts.end()), "documents are in order");
    promise(starts.empty() || (starts.front() == 0 && starts.back() <= 1000),
            "documents lie in the shard");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
