// GPT-2's printable character for each byte, in which its vocabulary files are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace longconv::data {

/// "Ġthe" to " the"; nothing if some character stands for no byte.
std::optional<std::string> bytes_of_symbols(std::string_view symbols);
/// " the" to "Ġthe".
std::string symbols_of_bytes(std::string_view bytes);

}  // namespace longconv::data
