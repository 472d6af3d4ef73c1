#include "data/tokenizers/bytes.h"

#include "data/tokenizers/folder.h"

namespace longconv::data {

std::vector<std::int32_t> ByteTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) ids[i] = static_cast<unsigned char>(text[i]);
  return ids;
}

std::string ByteTokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  text.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int32_t id = checked_id(*this, ids, i);
    if (id != kEos) text.push_back(static_cast<char>(id));
  }
  return text;
}

files::Digest ByteTokenizer::fingerprint() const {
  return files::sha256("bytes\n257 ids, eos 256");
}

void ByteTokenizer::save(const std::filesystem::path& folder) const {
  write_tokenizer_card(folder, *this, "bytes");
}

}  // namespace longconv::data
