// Any bytes either are a sample shard whose parts, labels and facts lie inside the file, or are a
// DataError.
#include "core/base/error.h"
#include "data/formats/sample_shard.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>
#include <vector>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const longconv::data::SampleView shard(bytes, "input");
    longconv::fuzz::touch(std::as_bytes(std::span(shard.facts())));
    std::int64_t values = 0;
    std::vector<std::int64_t> read;
    for (std::int64_t sample = 0; sample < shard.layout().samples; ++sample) {
      promise(shard.label(sample) < shard.layout().classes, "labels are below the classes");
      for (int part = 0; part < shard.layout().parts; ++part) {
        const std::int64_t length = shard.length(sample, part);
        promise(length >= 0, "lengths are lengths");
        values += length;
        read.resize(static_cast<std::size_t>(length));
        promise(shard.read(sample, part, read) == read.size(), "a part is read whole");
      }
    }
    promise(values == shard.layout().values, "the parts are all values");
    shard.verify();
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
