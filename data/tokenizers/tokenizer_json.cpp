#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/tokenizers/bpe.h"
#include "data/tokenizers/byte_symbols.h"
#include "data/tokenizers/json_cursor.h"
#include "data/tokenizers/vocabulary_lines.h"

#include <nlohmann/json.hpp>

#include <unordered_map>

namespace longconv::data {

namespace {

/// Reads what is supported of a tokenizer.json and refuses what would change the ids.
class Reader {
 public:
  Reader(std::string_view text, const std::string& name) : json_(text, name) {}

  BpeVocabulary read() {
    json_.object([&](const std::string& key) {
      if (key == "model") {
        model();
      } else if (key == "added_tokens") {
        json_.array([&] { added_token(); });
      } else if (key == "pre_tokenizer") {
        pre_tokenizer();
      } else if (key == "normalizer") {
        if (!json_.null()) refuse("a normalizer", "none");
      } else {
        json_
            .skip();  // version, truncation, padding, post_processor, decoder: no ids of plain text
      }
    });
    json_.finish();
    LONGCONV_CHECK(has_model_, DataError, "{}: expected the key \"model\"", json_.place(0));
    LONGCONV_CHECK(has_pre_tokenizer_, DataError,
                   "{}: expected a pre_tokenizer of type ByteLevel, got none", json_.place(0));
    mark_added();
    written_.token_place = written_.merge_place = [&](std::size_t at) { return json_.place(at); };
    return make_bpe_vocabulary(written_);
  }

 private:
  [[noreturn]] void refuse(const std::string& got, const std::string& wanted) {
    json_.skip();
    json_.fail(fmt::format("{} is not supported: expected {}", got, wanted));
  }

  void expect_word(const char* key, std::string_view wanted) {
    const std::string got = json_.string();
    if (got != wanted) json_.fail(fmt::format("{}: expected \"{}\", got \"{}\"", key, wanted, got));
  }

  /// A key that may be missing, null, false or "", and nothing else.
  void expect_unset(const std::string& key) {
    const char next = json_.peek();
    if (json_.null()) return;
    if (next == 'f') return static_cast<void>(json_.boolean());
    if (next != '"') refuse(key, "it to be null");
    if (!json_.string().empty()) json_.fail(key + " is not supported: expected it to be null");
  }

  void model() {
    has_model_ = true;
    json_.object([&](const std::string& key) {
      if (key == "type") {
        expect_word("model.type", "BPE");
      } else if (key == "vocab") {
        json_.object([&](const std::string& token) {
          const std::int64_t id = json_.integer();
          written_.tokens.push_back({token, id, json_.offset(), false});
        });
      } else if (key == "merges") {
        json_.array([&] { merge(); });
      } else if (key == "unk_token" || key == "fuse_unk" || key == "byte_fallback") {
        json_.skip();  // all bytes have tokens, so nothing is unknown
      } else {
        expect_unset(key);  // dropout, continuing_subword_prefix, end_of_word_suffix, ...
      }
    });
  }

  /// "A B" in older files, ["A", "B"] in newer ones.
  void merge() {
    std::vector<std::string> parts;
    std::size_t place = 0;
    if (json_.peek() == '[') {
      json_.array([&] {
        parts.push_back(json_.string());
        place = json_.offset();
      });
    } else {
      const std::string both = json_.string();
      place = json_.offset();
      const std::size_t space = both.find(' ');
      parts.push_back(both.substr(0, space));
      if (space != std::string::npos) parts.push_back(both.substr(space + 1));
    }
    if (parts.size() != 2 || parts[0].empty() || parts[1].empty() ||
        parts[1].find(' ') != std::string::npos) {
      json_.fail("expected a merge: \"A B\" or [\"A\", \"B\"]");
    }
    written_.merges.push_back({std::move(parts[0]), std::move(parts[1]), place});
  }

  void added_token() {
    WrittenBpe::Token token;
    token.id = -1;
    token.added = true;
    json_.object([&](const std::string& key) {
      if (key == "id") {
        token.id = json_.integer();
      } else if (key == "content") {
        token.symbols = json_.string();
        token.place = json_.offset();
      } else if (key == "special" || key == "normalized") {
        json_.skip();  // found in the text either way; nothing is normalised
      } else {
        expect_unset("added_tokens: " + key);  // lstrip, rstrip, single_word
      }
    });
    if (token.id < 0 || token.symbols.empty())
      json_.fail("expected an added token's id and content");
    added_.push_back(std::move(token));
  }

  void pre_tokenizer() {
    has_pre_tokenizer_ = true;
    if (json_.peek() != '{') refuse("pre_tokenizer", "one of type ByteLevel");
    json_.object([&](const std::string& key) {
      if (key == "type") {
        expect_word("pre_tokenizer.type", "ByteLevel");
      } else if (key == "use_regex") {
        if (!json_.boolean()) json_.fail("pre_tokenizer: expected use_regex = true");
      } else if (key == "trim_offsets") {
        json_.skip();  // concerns positions, not ids
      } else {
        expect_unset("pre_tokenizer: " + key);  // add_prefix_space
      }
    });
  }

  /// Added tokens stand in model.vocab, too, or not; the id must be the same.
  void mark_added() {
    std::unordered_map<std::string, WrittenBpe::Token*> known;
    for (WrittenBpe::Token& token : written_.tokens) known.emplace(token.symbols, &token);
    std::vector<WrittenBpe::Token> fresh;
    for (WrittenBpe::Token& token : added_) {
      const auto found = known.find(token.symbols);
      if (found == known.end()) {
        fresh.push_back(std::move(token));
        continue;
      }
      LONGCONV_CHECK(found->second->id == token.id, DataError,
                     "{}: added token \"{}\" has id {}, and {} in model.vocab",
                     json_.place(token.place), token.symbols, token.id, found->second->id);
      found->second->added = true;
    }
    for (WrittenBpe::Token& token : fresh) written_.tokens.push_back(std::move(token));
  }

  JsonCursor json_;
  WrittenBpe written_;
  std::vector<WrittenBpe::Token> added_;
  bool has_model_ = false;
  bool has_pre_tokenizer_ = false;
};

}  // namespace

BpeVocabulary parse_tokenizer_json(std::string_view text, const std::string& name) {
  return Reader(text, name).read();
}

BpeVocabulary read_tokenizer_json(const std::filesystem::path& path) {
  return parse_tokenizer_json(files::read_text(path, kMaxVocabularyBytes), path.string());
}

std::string write_tokenizer_json(const BpeVocabulary& vocabulary) {
  using nlohmann::ordered_json;
  std::vector<std::string> written;
  written.reserve(vocabulary.tokens.size());
  for (const std::string& token : vocabulary.tokens) written.push_back(symbols_of_bytes(token));
  ordered_json added = ordered_json::array();
  for (const std::int32_t id : vocabulary.specials) {
    const auto i = static_cast<std::size_t>(id);
    written[i] = vocabulary.tokens[i];
    added.push_back({{"id", id},
                     {"content", written[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  // By hand: an ordered_json object looks for each new key among all it has.
  std::string vocab;
  for (std::size_t id = 0; id < written.size(); ++id) {
    vocab += fmt::format("{}{}:{}", id == 0 ? "" : ",", ordered_json(written[id]).dump(), id);
  }
  ordered_json merges = ordered_json::array();
  for (const BpeMerge& merge : vocabulary.merges) {
    merges.push_back(written[static_cast<std::size_t>(merge.left)] + ' ' +
                     written[static_cast<std::size_t>(merge.right)]);
  }
  const ordered_json bytes = {{"type", "ByteLevel"},
                              {"add_prefix_space", false},
                              {"trim_offsets", true},
                              {"use_regex", true}};
  return fmt::format(
      "{{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":{},"
      "\"normalizer\":null,\"pre_tokenizer\":{},\"post_processor\":null,\"decoder\":{},"
      "\"model\":{{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
      "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,"
      "\"byte_fallback\":false,\"vocab\":{{{}}},\"merges\":{}}}}}\n",
      added.dump(), bytes.dump(), bytes.dump(), vocab, merges.dump());
}

}  // namespace longconv::data
