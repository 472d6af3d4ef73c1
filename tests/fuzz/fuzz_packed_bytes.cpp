// Any bytes either are a zstd or gzip stream that gives the same in large pieces and in small ones,
// or are a DataError.
#include "core/base/error.h"
#include "data/formats/byte_source.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

using longconv::data::ByteSource;
using longconv::fuzz::promise;

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 16;  // a few bytes may stand for gigabytes

std::unique_ptr<ByteSource> open(std::span<const std::byte> bytes, bool zstd) {
  auto source = longconv::data::memory_bytes(bytes, "input");
  return zstd ? longconv::data::zstd_bytes(std::move(source))
              : longconv::data::gzip_bytes(std::move(source));
}

/// The first kMostBytes or so, and the error behind them.
std::string read_all(ByteSource& source, std::size_t piece) {
  std::string text;
  try {
    std::string part(piece, '\0');
    while (text.size() < kMostBytes) {
      const std::size_t got = source.read(std::as_writable_bytes(std::span(part)));
      promise(got <= part.size(), "no more than asked for");
      if (got == 0) break;
      text.append(part, 0, got);
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input", 5) == 0, "an error names the file");
    return {};  // how much comes before an error may depend on the pieces
  }
  text.resize(std::min(text.size(), kMostBytes));
  return text;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool zstd = data[0] % 2 == 0;  // the first byte says which
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  const std::string large = read_all(*open(bytes, zstd), std::size_t{1} << 18);
  const std::string small = read_all(*open(bytes, zstd), 7);
  promise(large.empty() || small.empty() || large == small, "pieces do not matter");
  return 0;
}
