#include "data/tokenizers/dna.h"

#include "core/base/check.h"
#include "data/tokenizers/folder.h"

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
  std::array<std::int64_t, 4> counts{};
  for (std::size_t i = 0; i < text.size(); ++i) {
    ids[i] = ids_[index(text[i])];
    ++counts[kinds_[index(text[i])]];
  }
  for (std::size_t kind = 0; kind < counts.size(); ++kind) {
    if (counts[kind] > 0) counts_[kind] += counts[kind];
  }
  return ids;
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
