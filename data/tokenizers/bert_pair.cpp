#include "data/tokenizers/bert_pair.h"

#include "core/base/check.h"

#include <string>
#include <utility>

namespace longconv::data {

BertSpecials bert_specials(const Tokenizer& tokenizer) {
  BertSpecials found{-1, -1, -1, -1, -1};
  const std::pair<const char*, std::int32_t&> wanted[] = {{"[PAD]", found.pad},
                                                          {"[UNK]", found.unk},
                                                          {"[CLS]", found.cls},
                                                          {"[SEP]", found.sep},
                                                          {"[MASK]", found.mask}};
  // By decoding, because a tokenizer may have been told to read "[CLS]" as plain text.
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const std::string text = tokenizer.decode({id});
    for (const auto& [token, where] : wanted) {
      if (where < 0 && text == token) where = id;
    }
  }
  for (const auto& [token, where] : wanted) {
    LONGCONV_CHECK(where >= 0, DataError,
                   "{}: it has no {}; expected a BERT vocabulary with [PAD], [UNK], [CLS], [SEP] "
                   "and [MASK]",
                   tokenizer.describe(), token);
  }
  return found;
}

BertPair bert_pair(std::span<const std::int32_t> first, std::span<const std::int32_t> second,
                   std::size_t max_length, const BertSpecials& specials, bool pair) {
  const bool two = pair || !second.empty();
  const std::size_t added = two ? 3 : 2;
  LONGCONV_CHECK(max_length >= added, DataError,
                 "BERT input: expected a length of at least {} for its special tokens, got {}",
                 added, max_length);
  while (first.size() + second.size() > max_length - added) {
    std::span<const std::int32_t>& longer = first.size() > second.size() ? first : second;
    longer = longer.first(longer.size() - 1);
  }
  BertPair out;
  const auto add = [&](std::int32_t type, std::span<const std::int32_t> ids) {
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.ids.push_back(specials.sep);
    out.types.resize(out.ids.size(), type);
  };
  out.ids.push_back(specials.cls);
  add(0, first);
  if (two) add(1, second);
  return out;
}

}  // namespace longconv::data
