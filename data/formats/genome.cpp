#include "data/formats/genome.h"

#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "data/formats/bgzip.h"
#include "data/formats/fasta_genome.h"
#include "data/formats/text_store.h"
#include "data/formats/two_bit.h"

#include <utility>

namespace longconv::data {

void Genome::set_sequences(std::vector<Sequence> sequences) {
  sequences_ = std::move(sequences);
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const auto [at, fresh] = places_.emplace(sequences_[i].name, static_cast<std::int64_t>(i));
    LONGCONV_CHECK(fresh, DataError, "{}: sequence {} is there twice, as number {} and {}", path_,
                   sequences_[i].name, at->second + 1, i + 1);
  }
}

std::int64_t Genome::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? -1 : found->second;
}

std::int64_t Genome::find_chromosome(const std::string& name) const {
  std::int64_t found = find(name);
  if (found < 0) found = find("chr" + name);
  if (found < 0 && name.starts_with("chr")) found = find(std::string_view(name).substr(3));
  return found;
}

void Genome::read(std::int64_t sequence, std::int64_t begin, std::span<char> out) const {
  LONGCONV_CHECK(sequence >= 0 && sequence < static_cast<std::int64_t>(sequences_.size()),
                 DataError, "{}: sequence {} asked for, there are {}", path_, sequence,
                 sequences_.size());
  const Sequence& from = sequences_[static_cast<std::size_t>(sequence)];
  const auto count = static_cast<std::int64_t>(out.size());
  LONGCONV_CHECK(begin >= 0 && count <= from.length && begin <= from.length - count, DataError,
                 "{}: bases [{}, {}) of {} asked for, it has {}", path_, begin, begin + count,
                 from.name, from.length);
  if (!out.empty()) read_checked(sequence, begin, out);
}

std::unique_ptr<Genome> open_genome(const std::filesystem::path& path) {
  files::MappedFile file(path);
  const auto bytes = file.bytes();
  LONGCONV_CHECK(!bytes.empty(), DataError, "{}: empty", path.string());
  if (is_two_bit(bytes)) return std::make_unique<TwoBitGenome>(std::move(file));
  constexpr std::byte kGzip[] = {std::byte{0x1f}, std::byte{0x8b}};
  if (bytes.size() >= 2 && bytes[0] == kGzip[0] && bytes[1] == kGzip[1]) {
    if (!is_bgzip(bytes)) {
      return std::make_unique<FastaGenome>(path, gunzipped_text(path), /*kept=*/false);
    }
    return std::make_unique<FastaGenome>(path, open_bgzip(std::move(file)), /*kept=*/true);
  }
  return std::make_unique<FastaGenome>(path, mapped_text(std::move(file)), /*kept=*/true);
}

}  // namespace longconv::data
