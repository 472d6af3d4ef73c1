// Windows of FASTA by its index (data/formats/genome.h opens it).
#pragma once

#include "data/formats/fasta_index.h"
#include "data/formats/genome.h"
#include "data/formats/text_store.h"

#include <filesystem>
#include <memory>
#include <vector>

namespace longconv::data {

class FastaGenome final : public Genome {
 public:
  /// `text` is that of `path`. If `kept`, its index is the .fai beside it, read or made; else it is
  /// made each time. Throws DataError.
  FastaGenome(const std::filesystem::path& path, std::unique_ptr<TextStore> text, bool kept);
  [[nodiscard]] const std::vector<FastaEntry>& index() const { return entries_; }

 private:
  void read_checked(std::int64_t sequence, std::int64_t begin, std::span<char> out) const override;
  std::unique_ptr<TextStore> text_;
  std::vector<FastaEntry> entries_;
};

/// Checks that each sequence begins behind a header with its name, that its first line is as long
/// as the index says, and that it ends where the next header or the text's end is. Throws DataError
/// with `path`, the index's.
void check_fasta_index(const std::vector<FastaEntry>& entries, const TextStore& text,
                       const std::string& path);

}  // namespace longconv::data
