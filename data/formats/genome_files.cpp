#include "data/formats/genome_files.h"

#include "core/base/check.h"

#include <map>
#include <string_view>

namespace longconv::data {

std::string genome_name(const std::filesystem::path& path) {
  const std::string file = path.filename().string();
  std::string_view name = file;
  if (name.ends_with(".2bit")) return std::string(name.substr(0, name.size() - 5));
  if (name.ends_with(".gz")) name.remove_suffix(3);
  for (const std::string_view ending : {".fa", ".fna", ".fasta"}) {
    if (name.ends_with(ending)) return std::string(name.substr(0, name.size() - ending.size()));
  }
  return {};
}

std::vector<std::filesystem::path> list_genomes(const std::filesystem::path& folder) {
  std::map<std::string, std::filesystem::path> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = genome_name(entry.path());
    if (name.empty() || !entry.is_regular_file()) continue;
    const auto [at, fresh] = found.emplace(name, entry.path());
    LONGCONV_CHECK(fresh, DataError, "{}: there is also {}", entry.path().string(),
                   at->second.filename().string());
  }
  std::vector<std::filesystem::path> out;
  out.reserve(found.size());
  for (auto& [name, path] : found) out.push_back(std::move(path));
  return out;
}

}  // namespace longconv::data
