// What a genome or a BED file holds: sequences, the composition of their bases, some of them;
// intervals, their parts and lengths.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace longconv::data {

/// True for the names of FASTA and 2bit files, and of BED, each perhaps with .gz.
bool is_genome_file(const std::filesystem::path& path);
bool is_bed_file(const std::filesystem::path& path);

/// JSON objects; "kind" is "genome" or "intervals". Shares of bases are over at most 256 stretches
/// of 64 K, evenly spaced, or over everything if `all`. Throws DataError.
std::string inspect_genome(const std::filesystem::path& path, std::int64_t samples, bool all);
std::string inspect_bed(const std::filesystem::path& path, std::int64_t samples);

}  // namespace longconv::data
