// Named sequences that are read in windows: a FASTA or a 2bit file, whichever it is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace longconv::data {

/// One sequence of a genome; a chromosome, mostly.
struct Sequence {
  std::string name;
  std::int64_t length = 0;  ///< bases
};

/// Thread-safe: any number of threads may read at once.
class Genome {
 public:
  virtual ~Genome() = default;
  [[nodiscard]] const std::vector<Sequence>& sequences() const { return sequences_; }
  /// The sequence's place in sequences(), or -1.
  [[nodiscard]] std::int64_t find(std::string_view name) const;
  /// The same for tables that say "chr1" where the genome says "1", or the other way round.
  [[nodiscard]] std::int64_t find_chromosome(const std::string& name) const;
  /// Bases [begin, begin + out.size()) of a sequence, in the case that the file has them in.
  /// Throws DataError for a range outside the sequence or a damaged file.
  void read(std::int64_t sequence, std::int64_t begin, std::span<char> out) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 protected:
  explicit Genome(std::string path) : path_(std::move(path)) {}
  /// Throws DataError for a name that is there twice.
  void set_sequences(std::vector<Sequence> sequences);
  virtual void read_checked(std::int64_t sequence, std::int64_t begin,
                            std::span<char> out) const = 0;

 private:
  std::string path_;
  std::vector<Sequence> sequences_;
  std::unordered_map<std::string_view, std::int64_t> places_;
};

/// A 2bit file, or FASTA: plain, bgzip or gzip, told apart by their first bytes. FASTA's indices
/// (.fai; .gzi for bgzip) are read where they lie beside it and checked against it; where there are
/// none they are made, and kept if the folder can be written to. Gzip other than bgzip cannot be
/// read in windows and is held in memory, decompressed and indexed each time. Throws DataError.
std::unique_ptr<Genome> open_genome(const std::filesystem::path& path);

}  // namespace longconv::data
