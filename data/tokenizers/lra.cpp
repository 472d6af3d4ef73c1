#include "data/tokenizers/lra.h"

#include "data/tokenizers/folder.h"

#include <algorithm>
#include <array>

namespace longconv::data {

namespace {

constexpr std::array<std::string_view, ListOpsTokenizer::kVocabSize> kSymbols{
    "<pad>", "<unk>", "<eos>", "]", "0", "1",    "2",    "3",    "4",
    "5",     "6",     "7",     "8", "9", "[MIN", "[MAX", "[MED", "[SM"};
constexpr std::string_view kBetween = " \t\r\n()";

}  // namespace

std::vector<std::int32_t> ListOpsTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  while (true) {
    const std::size_t begin = text.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) return ids;
    const std::size_t end = std::min(text.find_first_of(kBetween, begin), text.size());
    const auto* found =
        std::find(kSymbols.begin() + kEos + 1, kSymbols.end(), text.substr(begin, end - begin));
    ids.push_back(found == kSymbols.end() ? kUnknown
                                          : static_cast<std::int32_t>(found - kSymbols.begin()));
    text.remove_prefix(end);
  }
}

std::string ListOpsTokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int32_t id = checked_id(*this, ids, i);
    if (id == kPad || id == kEos) continue;
    if (!text.empty()) text += ' ';
    text += kSymbols[static_cast<std::size_t>(id)];
  }
  return text;
}

files::Digest ListOpsTokenizer::fingerprint() const {
  return fingerprint_with("listops\n18 ids, ] 3, digits from 4, MIN MAX MED SM from 14, eos 2", {});
}

void ListOpsTokenizer::save(const std::filesystem::path& folder) const {
  write_tokenizer_card(folder, *this, "listops");
}

std::vector<std::int32_t> LraByteTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids(text.size());
  std::transform(text.begin(), text.end(), ids.begin(),
                 [](char c) { return static_cast<unsigned char>(c) + 1; });
  return ids;
}

std::string LraByteTokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int32_t id = checked_id(*this, ids, i);
    if (id != kPad) text += static_cast<char>(id - 1);
  }
  return text;
}

files::Digest LraByteTokenizer::fingerprint() const {
  return fingerprint_with("lra_bytes\n257 ids, byte + 1, pad 0", {});
}

void LraByteTokenizer::save(const std::filesystem::path& folder) const {
  write_tokenizer_card(folder, *this, "lra_bytes");
}

}  // namespace longconv::data
