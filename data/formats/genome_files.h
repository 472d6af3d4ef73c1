// Genome files by their names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longconv::data {

/// The name without the ending of a FASTA or 2bit file (.fa, .fna, .fasta, each also with .gz;
/// .2bit); empty for other names.
std::string genome_name(const std::filesystem::path& path);

/// The FASTA and 2bit files of a folder, sorted by name. Throws DataError if two have one name
/// without their endings.
std::vector<std::filesystem::path> list_genomes(const std::filesystem::path& folder);

}  // namespace longconv::data
