// A sample shard of labelled DNA sequences, part by part.
#pragma once

#include "data/formats/sample_shard.h"
#include "data/tasks/labelled.h"
#include "data/tasks/sample_facts.h"
#include "data/tokenizers/dna.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// How ids of DNA are shown, in the order of the ids.
const std::vector<std::string>& dna_symbols();

/// Throws DataError, beginning with `where`, unless all of `text` is visible ASCII.
void check_letters(std::string_view text, const std::string& where);

class DnaShard {
 public:
  /// `task` is the first word of what the shard is made of, and may name a set behind it.
  DnaShard(const std::filesystem::path& out, std::string task, std::vector<std::string> classes,
           bool upper_case);
  /// The sequences of a part follow one another.
  void add(std::string_view bases, int label);
  /// Throws DataError if nothing was added since the part before.
  void end_part(const std::string& name);
  /// `made` as SampleFacts::made_json. Logs what soft masks and codes were read as.
  Written finish(const std::string& made);

 private:
  std::filesystem::path path_;
  SampleFacts facts_;
  DnaTokenizer tokenizer_;
  SampleShardWriter writer_;
  std::int64_t samples_ = 0;
  std::vector<std::int64_t> ids_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace longconv::data
