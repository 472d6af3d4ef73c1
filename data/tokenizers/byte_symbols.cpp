#include "data/tokenizers/byte_symbols.h"

#include "data/tokenizers/unicode.h"

#include <array>

namespace longconv::data {

namespace {

/// Bytes 33-126, 161-172 and 174-255 are the character of the same number; the other 68, in order,
/// are U+0100 and so on.
struct Tables {
  std::array<char32_t, 256> symbol{};
  std::array<int, 256 + 68> byte{};
};

constexpr Tables make_tables() {
  Tables tables;
  tables.byte.fill(-1);
  char32_t next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const char32_t symbol = printable ? static_cast<char32_t>(b) : next++;
    tables.symbol[static_cast<std::size_t>(b)] = symbol;
    tables.byte[symbol] = b;
  }
  return tables;
}
constexpr Tables kTables = make_tables();

}  // namespace

std::optional<std::string> bytes_of_symbols(std::string_view symbols) {
  std::string bytes;
  while (!symbols.empty()) {
    const Utf8Character c = utf8_character(symbols);
    if (c.code >= kTables.byte.size() || kTables.byte[c.code] < 0) return std::nullopt;
    bytes += static_cast<char>(kTables.byte[c.code]);
    symbols.remove_prefix(c.length);
  }
  return bytes;
}

std::string symbols_of_bytes(std::string_view bytes) {
  std::string symbols;
  for (const char byte : bytes) {
    append_utf8(kTables.symbol[static_cast<unsigned char>(byte)], symbols);
  }
  return symbols;
}

}  // namespace longconv::data
