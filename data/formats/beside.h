// Indices that lie beside the file they belong to.
#pragma once

#include <filesystem>
#include <string_view>

namespace longconv::data {

/// "a.fa" and ".fai" -> "a.fa.fai".
std::filesystem::path beside(const std::filesystem::path& path, const char* suffix);

/// Writes an index that can be made again at any time; a folder that cannot be written to is no
/// error.
void keep_beside(const std::filesystem::path& path, std::string_view bytes);

}  // namespace longconv::data
