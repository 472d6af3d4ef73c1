// Tables of labelled stretches of a genome, as CSV: the intervals of GenomicBenchmarks (data.md
// 7.4) and the windows of the chromatin profile (7.7).
//
// No LibTorch here, so that a fuzzer can link it.
#pragma once

#include "data/formats/genome.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// Bases [start, end) of a sequence of the genome; neither empty nor outside.
struct GenomeInterval {
  std::int64_t sequence = 0;
  std::int64_t start = 0;
  std::int64_t end = 0;
  bool reverse = false;  ///< of the other strand
};

/// Calls `handle` for each line of a table with the columns id, region, start, end, strand. Throws
/// DataError with `path` and line: other columns, an id that was there before, a sequence that the
/// genome lacks, a stretch that is empty or outside it, a strand other than + and - and nothing;
/// and for a table without intervals.
void for_each_genome_interval(std::string_view text, const std::string& path, const Genome& genome,
                              const std::function<void(const GenomeInterval&)>& handle);

/// Windows of 1000 bases and which of many labels each has.
struct ChromatinTable {
  static constexpr std::int64_t kWindow = 1000;  ///< bases
  struct Place {
    std::int64_t sequence = 0;
    std::int64_t start = 0;  ///< the window lies inside the sequence
  };
  std::vector<std::string> labels{};  ///< names of the columns y_...
  std::vector<Place> places{};
  std::vector<std::uint8_t> bits{};  ///< of each place, label 0 in the lowest bit of its first byte

  [[nodiscard]] std::size_t bytes_of_row() const { return (labels.size() + 7) / 8; }
  [[nodiscard]] bool has(std::size_t place, std::size_t label) const {
    return (bits[place * bytes_of_row() + label / 8] >> label % 8 & 1) != 0;
  }
};

/// A table with the columns Chr_No (chromosome - 1; 22 and 23 are X and Y), Start, End and `labels`
/// columns y_... that follow one another. Throws DataError with `path` and line: a column that is
/// missing, another number of labels, a window outside the genome, a label that is neither 0 nor 1;
/// and for a table without windows.
ChromatinTable parse_chromatin(std::string_view text, const std::string& path, const Genome& genome,
                               std::int64_t labels);

}  // namespace longconv::data
