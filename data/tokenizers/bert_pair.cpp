#include "data/tokenizers/bert_pair.h"

#include "core/base/check.h"

namespace longconv::data {

BertPair bert_pair(std::span<const std::int32_t> first, std::span<const std::int32_t> second,
                   std::size_t max_length, const BertSpecials& specials) {
  const bool two = !second.empty();
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
