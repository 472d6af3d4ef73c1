#include "data/tokenizers/bpe.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/tokenizers/bpe_merger.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/gpt2_pieces.h"
#include "data/tokenizers/piece_cache.h"
#include "data/tokenizers/special_text.h"

#include <mutex>

namespace longconv::data {

namespace {

/// What one call of encode() needs to itself.
struct Workspace {
  PieceCache cache;
  BpeScratch scratch;
};

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(BpeVocabulary vocabulary, const TokenizerOptions& options)
      : vocabulary_(std::move(vocabulary)),
        merger_(vocabulary_),
        options_{options.special_text},
        fingerprint_(fingerprint_with(content_of(vocabulary_), options_)) {
    if (!options_.special_text) return;
    std::vector<std::pair<std::string, std::int32_t>> specials;
    for (const std::int32_t id : vocabulary_.specials) specials.emplace_back(token(id), id);
    specials_ = SpecialText(std::move(specials));
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size() / 3);
    auto workspace = take();
    specials_.split(
        text, [&](std::string_view plain) { encode_plain(plain, *workspace, ids); },
        [&](std::int32_t id) { ids.push_back(id); });
    give_back(std::move(workspace));
    return ids;
  }

  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    text.reserve(ids.size() * 4);
    for (std::size_t i = 0; i < ids.size(); ++i) text += token(checked_id(*this, ids, i));
    return text;
  }

  [[nodiscard]] std::int64_t vocab_size() const override {
    return static_cast<std::int64_t>(vocabulary_.tokens.size());
  }
  [[nodiscard]] std::int64_t eos_id() const override { return vocabulary_.eos; }
  [[nodiscard]] files::Digest fingerprint() const override { return fingerprint_; }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("byte-level bpe, {} ids", vocab_size());
  }
  void save(const std::filesystem::path& folder) const override {
    files::create_folders(folder);
    files::write_atomic(folder / kTokenizerJson, write_tokenizer_json(vocabulary_));
    write_tokenizer_card(folder, *this, "bpe", options_);
  }

 private:
  [[nodiscard]] const std::string& token(std::int32_t id) const {
    return vocabulary_.tokens[static_cast<std::size_t>(id)];
  }

  void encode_plain(std::string_view text, Workspace& workspace,
                    std::vector<std::int32_t>& ids) const {
    for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
      end = gpt2_piece_end(text, begin);
      if (end - begin > PieceCache::kMaxBytes) {
        merger_.merge(text.substr(begin, end - begin), workspace.scratch, ids);
        continue;
      }
      const PieceCache::Key key = PieceCache::key(text, begin, end - begin);
      if (const auto known = workspace.cache.find(key); !known.empty()) {
        ids.insert(ids.end(), known.begin(), known.end());
        continue;
      }
      const std::size_t before = ids.size();
      merger_.merge(text.substr(begin, end - begin), workspace.scratch, ids);
      workspace.cache.put(key, std::span(ids).subspan(before));
    }
  }

  // As many workspaces as there were calls at once; each keeps what its cache has learnt.
  [[nodiscard]] std::unique_ptr<Workspace> take() const {
    const std::scoped_lock lock(mutex_);
    if (free_.empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<Workspace> workspace) const {
    const std::scoped_lock lock(mutex_);
    free_.push_back(std::move(workspace));
  }

  BpeVocabulary vocabulary_;
  BpeMerger merger_;
  TokenizerOptions options_;
  files::Digest fingerprint_;
  SpecialText specials_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace

std::shared_ptr<const Tokenizer> make_bpe(BpeVocabulary vocabulary,
                                          const TokenizerOptions& options) {
  return std::make_shared<BpeTokenizer>(std::move(vocabulary), options);
}

}  // namespace longconv::data
