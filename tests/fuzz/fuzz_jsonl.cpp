// Any line gives the same text, or the same complaint with its place, to the fast parser and to the
// exact one; and any file is cut into blocks that hold its lines.
#include "core/base/error.h"
#include "data/formats/document_blocks.h"
#include "data/formats/document_parser.h"
#include "data/formats/documents.h"
#include "data/formats/utf8.h"
#include "tests/fuzz/fuzz_target.h"

#include <string>

using longconv::fuzz::promise;
namespace data = longconv::data;

namespace {

/// The text of a line, or what is wrong with it behind a '!'.
template <class Parse>
std::string outcome(Parse parse) {
  try {
    return std::string("=").append(parse());
  } catch (const longconv::DataError& error) {
    return std::string("!").append(error.what());
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::span<const std::byte> input = std::as_bytes(std::span(bytes, size));
  static data::DocumentParser parser;  // it keeps buffers from line to line
  for (const auto content :
       {data::BlockOptions::Content::lines, data::BlockOptions::Content::text}) {
    data::BlockOptions options;
    options.content = content;
    options.block_bytes = 64;
    data::DocumentBlocks blocks(data::memory_bytes(input, "input"), options);
    std::size_t seen = 0;
    std::int64_t number = 0;
    for (data::DocumentBlock block; blocks.next(block);) {
      promise(block.offset == static_cast<std::int64_t>(seen), "blocks follow one another");
      seen += block.size;
      if (content == data::BlockOptions::Content::text) continue;
      for (std::string_view rest = block.bytes(); !rest.empty();) {
        const std::size_t stop = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, stop);
        rest.remove_prefix(std::min(stop + 1, rest.size()));
        ++number;
        const std::string where = std::string("input:").append(std::to_string(number));
        const std::string fast = outcome([&] { return parser.parse(line, "input", number); });
        promise(fast == outcome([&] { return data::parse_document(line, where); }),
                "both parsers agree");
        promise(fast.front() == '=' ? data::utf8_error(fast) == std::string::npos
                                    : fast.compare(1, where.size(), where) == 0,
                "a text is UTF-8, and an error names file and line");
      }
    }
    promise(seen == size, "the blocks are the file");
  }
  return 0;
}
