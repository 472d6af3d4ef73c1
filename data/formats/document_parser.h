// The text of JSONL lines, fast: simdjson reads them, and parse_document() those that simdjson does
// not like, because it says what is wrong and where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace longconv::data {

/// Bytes behind a line that must be readable, whatever they are.
inline constexpr std::size_t kLinePadding = 64;

/// One for each thread: it keeps its buffers.
class DocumentParser {
 public:
  DocumentParser();
  ~DocumentParser();
  DocumentParser(const DocumentParser&) = delete;
  DocumentParser& operator=(const DocumentParser&) = delete;

  /// The value of "text" in the object `line`, unescaped, valid until the next call. Gives and
  /// throws what parse_document(line, "<name>:<number>") gives and throws. kLinePadding bytes
  /// behind `line` must be readable.
  std::string_view parse(std::string_view line, std::string_view name, std::int64_t number);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace longconv::data
