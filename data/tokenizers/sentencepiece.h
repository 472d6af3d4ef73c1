// SentencePiece (Kudo and Richardson, arXiv:1808.06226), lossless.
//
// Models trained here normalise nothing, know every byte as a fallback piece and newline as a
// symbol of its own (data.md 4.7), so a text is its lines: each is encoded by itself. (The library
// sums a path's scores in float32: over a whole book its best path is no longer the best one.)
// What SentencePiece would change is spelled in byte pieces instead: U+2581, which is its own sign
// for a space, and bytes that are no UTF-8. decode(encode(x)) == x for every string of bytes.
//
// Models from elsewhere are used as they are. Where one normalises, or has no byte pieces, decoding
// gives what it kept.
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace longconv::data {

/// SentencePiece's sign for a space inside its pieces, U+2581.
inline constexpr std::string_view kSpaceSign = "\xE2\x96\x81";

struct SentencePieceOptions {
  std::string model = "unigram";  ///< "unigram", "bpe" or "char"
  std::int64_t vocab_size =
      2000;  ///< ids in all, 261 special and byte pieces included; char: at most
};

/// Gives the next piece of training text (any length, cut at newlines if cut at all); false at the
/// end.
using TextSource = std::function<bool(std::string& text)>;

/// Trains in this process. The model is a pure function of text and options, on any machine. Throws
/// DataError: too little text for the vocabulary (with the largest that it allows), no text at all,
/// an unknown model.
std::shared_ptr<const Tokenizer> train_sentencepiece(const SentencePieceOptions& options,
                                                     const TextSource& source);
/// The same from one text.
std::shared_ptr<const Tokenizer> train_sentencepiece(const SentencePieceOptions& options,
                                                     std::string_view text);

/// From the bytes of a model; `where` begins the message if they are none. Throws DataError.
std::shared_ptr<const Tokenizer> sentencepiece_from_model(std::string model,
                                                          const std::string& where);

/// Reads a *.model file. Throws DataError.
std::shared_ptr<const Tokenizer> open_sentencepiece(const std::filesystem::path& path);

}  // namespace longconv::data
