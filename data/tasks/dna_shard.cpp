#include "data/tasks/dna_shard.h"

#include "core/base/check.h"
#include "core/base/log.h"

#include <algorithm>
#include <array>
#include <utility>

namespace longconv::data {

namespace {

SampleLayout layout_of(std::size_t classes) {
  SampleLayout layout;
  layout.value_bytes = 1;
  layout.vocabulary = DnaTokenizer::kVocabSize;
  layout.classes = static_cast<std::int64_t>(classes);
  return layout;
}

}  // namespace

const std::vector<std::string>& dna_symbols() {
  static const std::vector<std::string> all = {
      "[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", "A", "C", "G", "T", "N"};
  return all;
}

void check_letters(std::string_view text, const std::string& where) {
  const auto wrong = std::find_if(text.begin(), text.end(),
                                  [](char byte) { return byte <= ' ' || byte >= '\x7f'; });
  LONGCONV_CHECK(wrong == text.end(), DataError, "{}: byte {} is no letter of a sequence", where,
                 wrong - text.begin());
}

DnaShard::DnaShard(const std::filesystem::path& out, std::string task,
                   std::vector<std::string> classes, bool upper_case)
    : path_(out),
      tokenizer_({/*special_text=*/false, upper_case}),
      writer_(out, layout_of(classes.size())) {
  facts_.task = std::move(task);
  facts_.classes = std::move(classes);
  facts_.coding = "symbols";
  facts_.symbols = dna_symbols();
  facts_.pad = DnaTokenizer::kPad;
  facts_.pad_left = true;
}

void DnaShard::add(std::string_view bases, int label) {
  ids_.resize(bases.size());
  tokenizer_.encode(bases, ids_);
  bytes_.assign(ids_.begin(), ids_.end());
  writer_.add_part(bytes_);
  writer_.add_row(std::array<std::int32_t, 1>{label});
  ++samples_;
}

void DnaShard::end_part(const std::string& name) {
  const std::int64_t first = facts_.splits.empty() ? 0 : facts_.splits.back().end;
  LONGCONV_CHECK(samples_ > first, DataError, "{}: part \"{}\" has no sequences", path_.string(),
                 name);
  facts_.splits.push_back({name, first, samples_});
}

Written DnaShard::finish(const std::string& made) {
  facts_.made_json = made;
  writer_.finish(to_json(facts_));
  if (const std::string remarks = tokenizer_.remarks(); !remarks.empty()) {
    log::warn("{}: {}", path_.string(), remarks);
  }
  return {samples_, 0};
}

}  // namespace longconv::data
