#include "core/base/check.h"
#include "data/tokenizers/sentencepiece.h"

#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>

namespace longconv::data {

namespace {

/// The lines of a TextSource, as SentencePiece wants to be given them.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const TextSource& source) : source_(source) { Next(); }
  [[nodiscard]] bool done() const override { return done_; }
  [[nodiscard]] const std::string& value() const override { return line_; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

  void Next() override {
    do {
      if (at_ >= text_.size()) {
        at_ = 0;
        if (!source_(text_)) {
          done_ = true;
          return;
        }
      }
      const std::size_t stop = std::min(text_.find('\n', at_), text_.size());
      line_.assign(text_, at_, stop - at_);
      at_ = stop + 1;
      // A sentence with U+2581 or NUL is refused by the trainer, one with a tab misread: bytes
      // serve all three.
      std::replace(line_.begin(), line_.end(), '\0', ' ');
      std::replace(line_.begin(), line_.end(), '\t', ' ');
      for (auto i = line_.find(kSpaceSign); i != line_.npos; i = line_.find(kSpaceSign, i)) {
        line_[i] = ' ';
        line_.erase(i + 1, kSpaceSign.size() - 1);
      }
    } while (line_.empty());
  }

 private:
  const TextSource& source_;
  std::string text_;
  std::size_t at_ = 0;
  std::string line_;
  bool done_ = false;
};

}  // namespace

std::shared_ptr<const Tokenizer> train_sentencepiece(const SentencePieceOptions& options,
                                                     const TextSource& source) {
  LONGCONV_CHECK(options.model == "unigram" || options.model == "bpe" || options.model == "char",
                 DataError, "tokenizer model \"{}\": expected unigram, bpe or char", options.model);
  // <pad> <unk> <s> </s>, newline and 256 bytes come first; a vocabulary needs something more.
  constexpr std::int64_t kSpecial = 4 + 1 + 256;
  LONGCONV_CHECK(
      options.vocab_size > kSpecial && options.vocab_size <= 1'000'000, DataError,
      "tokenizer vocabulary of {} ids: expected more than {} (the special ones, newline and "
      "256 bytes) and at most 1000000",
      options.vocab_size, kSpecial);
  Sentences sentences(source);
  LONGCONV_CHECK(!sentences.done(), DataError, "tokenizer: no text to train it on");
  const std::unordered_map<std::string, std::string> arguments{
      {"model_type", options.model},
      {"vocab_size", std::to_string(options.vocab_size)},
      // The alphabet decides what "char" has; asking for more is no mistake there.
      {"hard_vocab_limit", options.model == "char" ? "false" : "true"},
      {"byte_fallback", "true"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"add_dummy_prefix", "false"},
      {"character_coverage", "1.0"},
      {"split_digits", "true"},
      {"user_defined_symbols", "\n"},
      {"pad_id", "0"},
      {"unk_id", "1"},
      {"bos_id", "2"},
      {"eos_id", "3"},
      // Lines above this many bytes would be left out (4192 by default).
      {"max_sentence_length", "1073741824"},
      // Partial sums are added up thread by thread: a fixed number gives the same model everywhere.
      {"num_threads", "16"},
      {"minloglevel", "2"}};
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &sentences, &model);
  LONGCONV_CHECK(
      status.ok(), DataError,
      "tokenizer {}:{}: SentencePiece cannot train it: {}\n  a smaller vocabulary or more "
      "text may do",
      options.model, options.vocab_size, status.ToString());
  return sentencepiece_from_model(std::move(model), "trained model");
}

std::shared_ptr<const Tokenizer> train_sentencepiece(const SentencePieceOptions& options,
                                                     std::string_view text) {
  bool given = false;
  return train_sentencepiece(options, [&](std::string& out) {
    if (given) return false;
    given = true;
    out = text;
    return true;
  });
}

}  // namespace longconv::data
