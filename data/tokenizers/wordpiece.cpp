#include "data/tokenizers/wordpiece.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/formats/utf8.h"
#include "data/tokenizers/bert_text.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/special_text.h"
#include "data/tokenizers/vocabulary_lines.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>

namespace longconv::data {

namespace {

constexpr std::size_t kMaxWordCharacters = 100;
constexpr std::string_view kContinues = "##";
constexpr std::string_view kSpecials[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};

/// Lets a map of strings be asked with a view.
struct StringHash {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard's name
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using PieceIds = std::unordered_map<std::string, std::int32_t, StringHash, std::equal_to<>>;

class WordPieceTokenizer final : public Tokenizer {
 public:
  WordPieceTokenizer(std::string_view text, const std::string& name,
                     const TokenizerOptions& options)
      : text_(text), options_{options.special_text} {
    for_each_vocabulary_line(text, name, [&](std::string_view line, std::size_t number) {
      add_token(line, fmt::format("{}:{}", name, number));
    });
    std::vector<std::pair<std::string, std::int32_t>> specials;
    for (const std::string_view special : kSpecials) {
      const auto found = heads_.find(special);
      if (found != heads_.end()) specials.emplace_back(special, found->second);
    }
    unknown_ = id_of("[UNK]");
    LONGCONV_CHECK(unknown_ >= 0, DataError, "{}: expected the token [UNK], there is none", name);
    if (options.special_text) specials_ = SpecialText(std::move(specials));
    fingerprint_ = fingerprint_with("wordpiece\n" + text_, options_);
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size() / 4);
    specials_.split(
        text,
        [&](std::string_view plain) {
          for_each_bert_word(plain, [&](std::string_view word, std::size_t characters) {
            encode_word(word, characters, ids);
          });
        },
        [&](std::int32_t id) { ids.push_back(id); });
    words_ += static_cast<std::int64_t>(ids.size());
    return ids;
  }

  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::string_view token = tokens_[static_cast<std::size_t>(checked_id(*this, ids, i))];
      if (i > 0 && token.starts_with(kContinues)) {
        token.remove_prefix(kContinues.size());
      } else if (i > 0) {
        text += ' ';
      }
      text += token;
    }
    return text;
  }

  [[nodiscard]] std::int64_t vocab_size() const override {
    return static_cast<std::int64_t>(tokens_.size());
  }
  [[nodiscard]] std::int64_t eos_id() const override { return id_of("[SEP]"); }
  [[nodiscard]] files::Digest fingerprint() const override { return fingerprint_; }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("wordpiece, {} ids", vocab_size());
  }
  [[nodiscard]] bool lossless() const override { return false; }
  [[nodiscard]] std::string remarks() const override {
    if (unknown_words_ == 0) return {};
    return fmt::format("{} of {} ids are [UNK]", unknown_words_.load(), words_.load());
  }
  void save(const std::filesystem::path& folder) const override {
    files::create_folders(folder);
    files::write_atomic(folder / kWordPieceFile, text_);
    write_tokenizer_card(folder, *this, "wordpiece", options_);
  }

 private:
  void add_token(std::string_view token, const std::string& where) {
    LONGCONV_CHECK(!token.empty() && token.size() <= kMaxTokenBytes && tokens_.size() < kMaxTokens,
                   DataError,
                   "{}: expected a token of 1 to {} bytes, at most {} of them, got {} bytes", where,
                   kMaxTokenBytes, kMaxTokens, token.size());
    const bool capital =
        std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    LONGCONV_CHECK(!capital || (token.starts_with('[') && token.ends_with(']')), DataError,
                   "{}: token \"{}\" has capitals: expected an uncased vocabulary", where, token);
    const bool continues = token.size() > kContinues.size() && token.starts_with(kContinues);
    const std::string_view piece = continues ? token.substr(kContinues.size()) : token;
    const auto id = static_cast<std::int32_t>(tokens_.size());
    const auto [before, fresh] = (continues ? tails_ : heads_).emplace(piece, id);
    LONGCONV_CHECK(fresh, DataError, "{}: token \"{}\" stands there twice, first in line {}", where,
                   token, before->second + 1);
    longest_ = std::max(longest_, piece.size());
    tokens_.emplace_back(token);
  }

  [[nodiscard]] std::int32_t id_of(std::string_view token) const {
    const auto found = heads_.find(token);
    return found == heads_.end() ? -1 : found->second;
  }

  void encode_word(std::string_view word, std::size_t characters,
                   std::vector<std::int32_t>& ids) const {
    const std::size_t before = ids.size();
    bool known = characters <= kMaxWordCharacters;
    for (std::size_t begin = 0; known && begin < word.size();) {
      const PieceIds& pieces = begin == 0 ? heads_ : tails_;
      std::size_t end = utf8_floor(word, begin + std::min(longest_, word.size() - begin));
      known = false;
      for (; end > begin; end = utf8_floor(word, end - 1)) {
        const auto found = pieces.find(word.substr(begin, end - begin));
        if (found == pieces.end()) continue;
        ids.push_back(found->second);
        known = true;
        break;
      }
      begin = end;
    }
    if (known) return;
    ids.resize(before);
    ids.push_back(unknown_);
    ++unknown_words_;
  }

  std::string text_;  ///< the file
  TokenizerOptions options_;
  std::vector<std::string> tokens_;
  PieceIds heads_;
  PieceIds tails_;  ///< those that begin with "##", without it
  std::size_t longest_ = 0;
  std::int32_t unknown_ = -1;
  SpecialText specials_;
  files::Digest fingerprint_{};
  mutable std::atomic<std::int64_t> words_ = 0;
  mutable std::atomic<std::int64_t> unknown_words_ = 0;
};

}  // namespace

std::shared_ptr<const Tokenizer> parse_wordpiece(std::string_view text, const std::string& name,
                                                 const TokenizerOptions& options) {
  return std::make_shared<WordPieceTokenizer>(text, name, options);
}

std::shared_ptr<const Tokenizer> open_wordpiece(const std::filesystem::path& path,
                                                const TokenizerOptions& options) {
  return parse_wordpiece(files::read_text(path, kMaxVocabularyBytes), path.string(), options);
}

}  // namespace longconv::data
