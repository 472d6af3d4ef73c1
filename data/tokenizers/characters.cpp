#include "data/tokenizers/characters.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/json_cursor.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/vocabulary_lines.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

namespace longconv::data {

namespace {

constexpr std::int32_t kUnknown = 1;
constexpr std::int32_t kEos = 2;
constexpr std::int32_t kFirst = 3;

class CharacterTokenizer final : public Tokenizer {
 public:
  explicit CharacterTokenizer(std::vector<char32_t> characters)
      : characters_(std::move(characters)) {
    std::string content = "characters\n";
    for (std::size_t i = 0; i < characters_.size(); ++i) {
      ids_.emplace(characters_[i], kFirst + static_cast<std::int32_t>(i));
      append_utf8(characters_[i], content);
    }
    fingerprint_ = fingerprint_with(content, {});
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size());
    while (!text.empty()) {
      const Utf8Character c = utf8_character(text);
      const auto found = ids_.find(c.code);
      ids.push_back(found == ids_.end() ? kUnknown : found->second);
      text.remove_prefix(c.length);
    }
    return ids;
  }

  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::int32_t id = checked_id(*this, ids, i);
      if (id >= kFirst) append_utf8(characters_[static_cast<std::size_t>(id - kFirst)], text);
      if (id == kUnknown) append_utf8(kReplacement, text);
    }
    return text;
  }

  [[nodiscard]] std::int64_t vocab_size() const override {
    return kFirst + static_cast<std::int64_t>(characters_.size());
  }
  [[nodiscard]] std::int64_t eos_id() const override { return kEos; }
  [[nodiscard]] files::Digest fingerprint() const override { return fingerprint_; }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("characters, {} ids", vocab_size());
  }
  [[nodiscard]] bool lossless() const override { return false; }
  void save(const std::filesystem::path& folder) const override {
    nlohmann::json list = nlohmann::json::array();
    for (const char32_t code : characters_) {
      std::string one;
      append_utf8(code, one);
      list.push_back(one);
    }
    files::create_folders(folder);
    files::write_atomic(folder / kCharactersFile,
                        nlohmann::json{{"characters", list}}.dump(0) + "\n");
    write_tokenizer_card(folder, *this, "characters");
  }

 private:
  std::vector<char32_t> characters_;  ///< of the ids from kFirst
  std::unordered_map<char32_t, std::int32_t> ids_;
  files::Digest fingerprint_{};
};

}  // namespace

std::shared_ptr<const Tokenizer> train_characters(const TextSource& source,
                                                  std::int64_t min_count) {
  std::unordered_map<char32_t, std::int64_t> counts;
  for (std::string text; source(text);) {
    for (std::string_view rest = text; !rest.empty();) {
      const Utf8Character c = utf8_character(rest);
      const bool stray = c.code == kReplacement && c.length == 1;
      if (!stray) ++counts[c.code];
      rest.remove_prefix(c.length);
    }
  }
  std::vector<std::pair<char32_t, std::int64_t>> kept;
  for (const auto& entry : counts) {
    if (entry.second >= min_count) kept.push_back(entry);
  }
  LONGCONV_CHECK(!kept.empty(), DataError,
                 "tokenizer characters: no character occurs {} times or more ({} different ones in "
                 "all); lower --min-count or give it more text",
                 min_count, counts.size());
  std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<char32_t> characters;
  characters.reserve(kept.size());
  for (const auto& [code, count] : kept) characters.push_back(code);
  return std::make_shared<CharacterTokenizer>(std::move(characters));
}

std::shared_ptr<const Tokenizer> parse_characters(std::string_view text, const std::string& name) {
  std::vector<char32_t> characters;
  std::unordered_map<char32_t, bool> seen;
  JsonCursor json(text, name);
  json.object([&](const std::string& key) {
    if (key != "characters")
      json.fail(fmt::format("expected the key \"characters\", got \"{}\"", key));
    json.array([&] {
      const std::string one = json.string();
      const Utf8Character c = one.empty() ? Utf8Character{} : utf8_character(one);
      if (one.empty() || c.length != one.size()) {
        json.fail(fmt::format("expected one character, got \"{}\"", one));
      }
      if (!seen.emplace(c.code, true).second) {
        json.fail(fmt::format("the character \"{}\" stands there twice", one));
      }
      characters.push_back(c.code);
    });
  });
  json.finish();
  return std::make_shared<CharacterTokenizer>(std::move(characters));
}

std::shared_ptr<const Tokenizer> open_characters(const std::filesystem::path& path) {
  return parse_characters(files::read_text(path, kMaxVocabularyBytes), path.string());
}

}  // namespace longconv::data
