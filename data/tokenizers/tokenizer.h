// Text to token ids and back. Most kinds give back every string of bytes; see lossless().
#pragma once

#include "core/files/hash.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// What a caller may choose besides the vocabulary; it is part of the fingerprint.
struct TokenizerOptions {
  /// gpt2, bert: special tokens written out in a text ("<|endoftext|>", "[MASK]") become their ids,
  /// as in the published pipelines. False: they are text like any other.
  bool special_text = true;
  /// dna: soft-masked bases are bases, and codes other than ACGTN are N. False: all these are
  /// [UNK], as in the published models.
  bool upper_case = true;
};

/// How to draw one of the ways to encode a text.
struct Sampling {
  /// unigram: the exponent that flattens the probabilities (0: all alike). bpe: the share of merges
  /// left out.
  double alpha = 0.1;
  /// unigram: draw among this many best ways, at most 512; -1: among all.
  int best = -1;
  std::uint64_t seed = 0;
};

/// Thread-safe once built.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Ids of `text` without special tokens added.
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  /// The same text in other ids (subword regularisation), a pure function of text and sampling.
  /// Throws DataError where there is one way only.
  [[nodiscard]] virtual std::vector<std::int32_t> encode_sampled(std::string_view text,
                                                                 const Sampling& sampling) const;
  /// The bytes the ids stand for. Special tokens give their text where a text may hold them (gpt2,
  /// bert), else nothing. Throws DataError for an unknown id.
  [[nodiscard]] virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
  [[nodiscard]] virtual std::int64_t vocab_size() const = 0;
  /// The id put after each document, or -1 where the tokenizer has none.
  [[nodiscard]] virtual std::int64_t eos_id() const = 0;
  /// What kind it is and of which content: stored in every shard.
  [[nodiscard]] virtual files::Digest fingerprint() const = 0;
  [[nodiscard]] virtual std::string describe() const = 0;  ///< "sentencepiece unigram, 2000 ids"
  /// Whether decode(encode(x)) is meant to be x for every x.
  [[nodiscard]] virtual bool lossless() const { return true; }
  /// Whether a text may be encoded in parts, cut behind a '\n' that has an ASCII letter, digit or
  /// sign on both sides, and give the same ids.
  [[nodiscard]] virtual bool splits_at_lines() const { return true; }
  /// What the texts encoded so far had that is easily overlooked, for a log line; empty if nothing.
  [[nodiscard]] virtual std::string remarks() const { return {}; }
  /// Writes what open_tokenizer(folder) needs into `folder`. Throws EnvironmentError.
  virtual void save(const std::filesystem::path& folder) const = 0;
};

/// ids[i], checked to be one of the tokenizer's. Throws DataError with id and position.
std::int32_t checked_id(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids,
                        std::size_t i);

/// `name_or_path`: a name (bytes, gpt2, bert, dna, listops, lra_bytes); a file *.model
/// (SentencePiece), tokenizer.json or another *.json of its kind (byte-level BPE), vocab.txt or
/// another *.txt (WordPiece); or a folder that holds such files, vocab.bpe and encoder.json, or
/// merges.txt and vocab.json; or one written by save(), whose options then count instead of
/// `options`. Throws DataError naming the path and what was expected, EnvironmentError for a name
/// whose vocabulary is not on this machine.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& name_or_path,
                                                const TokenizerOptions& options = {});

}  // namespace longconv::data
