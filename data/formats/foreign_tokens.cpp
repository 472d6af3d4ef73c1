#include "data/formats/foreign_tokens.h"

#include "core/base/check.h"

#include <array>
#include <cstring>

namespace longconv::data {

namespace {

constexpr std::int32_t kLlmcTokens = 20240520;
constexpr std::int32_t kLlmcEvaluation = 20240522;
constexpr std::size_t kLlmcHeaderBytes = 256 * sizeof(std::int32_t);
constexpr std::size_t kTokenBytes = sizeof(std::uint16_t);

}  // namespace

std::string_view name(ForeignLayout layout) {
  return layout == ForeignLayout::llm_c ? "llm.c" : "raw u16 (nanoGPT)";
}

ForeignHeader parse_foreign_header(std::span<const std::byte> file, const std::string& path) {
  std::array<std::int32_t, 3> start{};
  if (file.size() >= sizeof start) std::memcpy(start.data(), file.data(), sizeof start);
  const auto [magic, version, count] = start;
  LONGCONV_CHECK(
      magic != kLlmcEvaluation, DataError,
      "{}: an evaluation file of llm.c (20240522): questions with endings, not a stream of "
      "tokens",
      path);
  if (magic != kLlmcTokens) {
    LONGCONV_CHECK(!file.empty() && file.size() % kTokenBytes == 0, DataError,
                   "{}: {} bytes, expected an even number of them (u16 ids) or an llm.c header",
                   path, file.size());
    return {ForeignLayout::raw_u16, 0, static_cast<std::int64_t>(file.size() / kTokenBytes)};
  }
  LONGCONV_CHECK(file.size() >= kLlmcHeaderBytes, DataError,
                 "{}: truncated: {} bytes, an llm.c header alone has {}", path, file.size(),
                 kLlmcHeaderBytes);
  LONGCONV_CHECK(version == 1, DataError,
                 "{}: llm.c version {} at byte 4, this program reads version 1 (u16 ids)", path,
                 version);
  const std::size_t body = file.size() - kLlmcHeaderBytes;
  LONGCONV_CHECK(count >= 0 && static_cast<std::size_t>(count) * kTokenBytes == body, DataError,
                 "{}: the header says {} tokens at byte 8, the file has {} bytes after it: it is "
                 "truncated or has been changed",
                 path, count, body);
  return {ForeignLayout::llm_c, kLlmcHeaderBytes, count};
}

ForeignTokens::ForeignTokens(const std::filesystem::path& path)
    : file_(path), header_(parse_foreign_header(file_.bytes(), path.string())) {
  file_.advise_sequential();
}

void ForeignTokens::read(std::int64_t first, std::span<std::int32_t> out,
                         std::int64_t vocab_size) const {
  const auto length = static_cast<std::int64_t>(out.size());
  LONGCONV_CHECK(first >= 0 && length <= size() && first <= size() - length, DataError,
                 "{}: tokens [{}, {}) asked for, the file has {}", path().string(), first,
                 first + length, size());
  std::size_t offset = header_.data_offset + static_cast<std::size_t>(first) * kTokenBytes;
  for (std::int32_t& id : out) {
    std::uint16_t value = 0;
    std::memcpy(&value, file_.bytes().data() + offset, sizeof value);
    LONGCONV_CHECK(
        value < vocab_size, DataError,
        "{}: token {} at byte {}, but the tokenizer has {} ids; wrong tokenizer for this "
        "file?",
        path().string(), value, offset, vocab_size);
    id = value;
    offset += kTokenBytes;
  }
}

}  // namespace longconv::data
