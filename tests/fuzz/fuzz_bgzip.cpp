// Any bytes either are a bgzip file whose members inflate to what they say, or are a DataError; and
// so is any .gzi for it.
#include "core/base/error.h"
#include "data/formats/bgzip.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstring>

using longconv::fuzz::promise;

namespace {

/// Inflates every member of `bytes`; the text's size.
std::uint64_t inflate_all(std::span<const std::byte> bytes,
                          const std::vector<longconv::data::BgzipMember>& members) {
  for (std::size_t i = 0; i + 1 < members.size(); ++i) {
    promise(members[i + 1].text_offset >= members[i].text_offset, "members follow one another");
    std::string text(static_cast<std::size_t>(members[i + 1].text_offset - members[i].text_offset),
                     '\0');
    promise(text.size() <= 65536, "a member has at most 64 KiB");
    longconv::data::inflate_member(bytes, members[i], text, "input");
  }
  return members.back().text_offset;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The last byte says how much of the input is a .gzi, in 16 bytes and 8 more.
  const std::span<const std::byte> all = std::as_bytes(std::span(data, size - 1));
  const std::size_t index_bytes = std::min<std::size_t>(all.size(), data[size - 1] * 16U + 8U);
  const auto gzi = all.last(index_bytes);
  const auto bytes = all.first(all.size() - index_bytes);
  try {
    static_cast<void>(longconv::data::is_bgzip(bytes));
    const auto walked = longconv::data::walk_bgzip(bytes, "input");
    const std::uint64_t text = inflate_all(bytes, walked);
    const auto table = longconv::data::parse_gzi(gzi, "input.gzi", bytes, "input");
    promise(table.size() > walked.size() || inflate_all(bytes, table) == text,
            "an index that belongs to the file gives the same text");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input", 5) == 0, "an error names the file");
  }
  return 0;
}
