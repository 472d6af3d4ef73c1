#include "data/tokenizers/tokenizer.h"

#include "core/base/check.h"

namespace longconv::data {

std::vector<std::int32_t> Tokenizer::encode_sampled(std::string_view /*text*/,
                                                    const Sampling& /*sampling*/) const {
  throw DataError(fmt::format(
      "encode with sampling: {} has one way to encode a text; SentencePiece unigram and bpe have "
      "more",
      describe()));
}

std::int32_t checked_id(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids,
                        std::size_t i) {
  LONGCONV_CHECK(ids[i] >= 0 && ids[i] < tokenizer.vocab_size(), DataError,
                 "decode: id {} at position {}, but the tokenizer ({}) has {} ids", ids[i], i,
                 tokenizer.describe(), tokenizer.vocab_size());
  return ids[i];
}

}  // namespace longconv::data
