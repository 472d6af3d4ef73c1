// Token files of other programs (data.md 4.2):
//
//   nanoGPT   headerless u16 ids
//   llm.c     256 i32: 20240520, version 1, count, zeros; then u16 ids
//
// Neither says which tokenizer made it, so whoever converts one must.
#pragma once

#include "core/files/mapped_file.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace longconv::data {

enum class ForeignLayout { raw_u16, llm_c };

/// What a foreign file's first bytes and size say.
struct ForeignHeader {
  ForeignLayout layout = ForeignLayout::raw_u16;
  std::size_t data_offset = 0;
  std::int64_t count = 0;
};

/// Throws DataError naming `path`: llm.c's evaluation files (20240522, no token stream), unknown
/// versions, a count that does not match the size, an odd or empty headerless file.
ForeignHeader parse_foreign_header(std::span<const std::byte> file, const std::string& path);

/// A mapped foreign file.
class ForeignTokens {
 public:
  explicit ForeignTokens(const std::filesystem::path& path);
  [[nodiscard]] const ForeignHeader& header() const { return header_; }
  [[nodiscard]] std::int64_t size() const { return header_.count; }
  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }
  /// Copies ids [first, first + out.size()). Throws DataError for a range outside the file and for
  /// an id >= vocab_size, with its byte offset.
  void read(std::int64_t first, std::span<std::int32_t> out, std::int64_t vocab_size) const;

 private:
  files::MappedFile file_;
  ForeignHeader header_;
};

/// "raw u16 (nanoGPT)" or "llm.c".
std::string_view name(ForeignLayout layout);

}  // namespace longconv::data
