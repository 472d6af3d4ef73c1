#include "data/tokenizers/dna.h"

#include "core/base/check.h"
#include "data/tokenizers/folder.h"

#include <algorithm>

namespace longconv::data {

namespace {

constexpr std::string_view kBases = "ACGTN";
constexpr std::string_view kCodes = "RYSWKMBDHVU";

std::size_t index(char c) { return static_cast<unsigned char>(c); }
std::size_t lower(char upper) { return index(static_cast<char>(upper - 'A' + 'a')); }

}  // namespace

DnaTokenizer::DnaTokenizer(const TokenizerOptions& options) {
  options_.upper_case = options.upper_case;
  ids_.fill(kUnknown);
  kinds_.fill(foreign);
  for (const char code : kCodes) {
    kinds_[index(code)] = kinds_[lower(code)] = ambiguous;
    if (options.upper_case) ids_[index(code)] = ids_[lower(code)] = kN;
  }
  for (std::size_t i = 0; i < kBases.size(); ++i) {
    const std::int32_t id = kA + static_cast<std::int32_t>(i);
    ids_[index(kBases[i])] = id;
    kinds_[index(kBases[i])] = base;
    kinds_[lower(kBases[i])] = soft_masked;
    if (options.upper_case) ids_[lower(kBases[i])] = id;
  }
}

std::vector<std::int32_t> DnaTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids(text.size());
  code<std::int32_t>(text, ids);
  return ids;
}

void DnaTokenizer::encode(std::span<const char> bases, std::span<std::int64_t> ids) const {
  code<std::int64_t>(bases, ids);
}

template <class Id>
void DnaTokenizer::code(std::span<const char> bases, std::span<Id> ids) const {
  // The counts of the four kinds side by side in one word, 16 bits each: an array of counts would
  // make each base wait for the one before.
  constexpr std::size_t kChunk = 0xffff;
  for (std::size_t done = 0; done < bases.size();) {
    const std::size_t end = std::min(bases.size(), done + kChunk);
    std::uint64_t counts = 0;
    for (; done < end; ++done) {
      const std::size_t at = index(bases[done]);
      ids[done] = ids_[at];
      counts += std::uint64_t{1} << (16 * kinds_[at]);
    }
    for (std::size_t kind = 0; kind < counts_.size(); ++kind) {
      const auto count = static_cast<std::int64_t>(counts >> (16 * kind) & 0xffff);
      if (count > 0) counts_[kind] += count;
    }
  }
}

std::string DnaTokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  text.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int32_t id = checked_id(*this, ids, i);
    if (id >= kA) text += kBases[static_cast<std::size_t>(id - kA)];
    if (id == kUnknown) text += '.';
  }
  return text;
}

void reverse_complement_ids(std::span<std::int64_t> ids) {
  constexpr std::int64_t kSum = 2 * DnaTokenizer::kA + 3;  // A and T, C and G
  std::reverse(ids.begin(), ids.end());
  for (std::int64_t& id : ids) {
    if (id >= DnaTokenizer::kA && id < DnaTokenizer::kN) id = kSum - id;
  }
}

files::Digest DnaTokenizer::fingerprint() const {
  return fingerprint_with("dna\n12 ids, ACGTN from 7, eos 1", options_);
}

std::string DnaTokenizer::describe() const {
  return options_.upper_case ? "dna, 12 ids" : "dna, case kept, 12 ids";
}

std::string DnaTokenizer::remarks() const {
  const std::int64_t soft = counts_[soft_masked];
  const std::int64_t codes = counts_[ambiguous];
  const std::int64_t others = counts_[foreign];
  if (soft + codes + others == 0) return {};
  const bool upper = options_.upper_case;
  return fmt::format(
      "{} soft-masked bases (read as {}), {} codes other than ACGTN (read as {}), {} characters "
      "that are no base ([UNK])",
      soft, upper ? "upper case" : "[UNK]", codes, upper ? "N" : "[UNK]", others);
}

void DnaTokenizer::save(const std::filesystem::path& folder) const {
  write_tokenizer_card(folder, *this, "dna", options_);
}

}  // namespace longconv::data
