// What a sample shard says about itself, beside its numbers: the JSON in
// data/formats/sample_shard.h.
#pragma once

#include "data/formats/sample_shard.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// A range of the shard's samples, in its order.
struct SampleSplit {
  std::string name;  ///< train, validation, test
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

struct SampleFacts {
  std::string task;                           ///< pathfinder, listops, ...
  std::vector<std::string> columns{"label"};  ///< of the table, the label first
  std::vector<std::string> classes;           ///< names of the labels; may be empty
  /// How values of sequences are shown: "bytes" (value - 1, 0 is padding), "symbols" (the list
  /// below) or "levels" (grey).
  std::string coding = "levels";
  std::vector<std::string> symbols;
  std::int64_t pad = 0;             ///< value that sequences are padded with
  bool pad_left = false;            ///< and on which side
  std::string separator;            ///< between symbols when they are shown
  std::vector<SampleSplit> splits;  ///< as published; empty where the reader cuts them
  std::vector<double> mean;         ///< of each channel / 255, where the task has published ones
  std::vector<double> deviation;
  std::string made_json = "{}";  ///< settings of the generator, or names and checksums of sources
};

std::string to_json(const SampleFacts& facts);
/// Throws DataError: no such JSON, or names and splits that do not fit the shard's numbers.
SampleFacts read_facts(const SampleView& shard);

}  // namespace longconv::data
