#include "data/tasks/sample_facts.h"

#include "core/base/check.h"

#include <nlohmann/json.hpp>

namespace longconv::data {

namespace {

using nlohmann::ordered_json;

void check_fit(const SampleFacts& facts, const SampleView& shard) {
  const SampleLayout& layout = shard.layout();
  const auto fits = [](const auto& list, std::int64_t count) {
    return list.empty() || static_cast<std::int64_t>(list.size()) == count;
  };
  LONGCONV_CHECK(
      static_cast<int>(facts.columns.size()) == layout.columns &&
          fits(facts.classes, layout.classes) && fits(facts.symbols, layout.vocabulary) &&
          fits(facts.mean, layout.channels) && fits(facts.deviation, layout.channels),
      DataError,
      "{}: its JSON names {} columns, {} classes, {} symbols, its header says {}, {}, {}",
      shard.path(), facts.columns.size(), facts.classes.size(), facts.symbols.size(),
      layout.columns, layout.classes, layout.vocabulary);
  LONGCONV_CHECK(facts.coding == "levels" ||
                     (facts.coding == "bytes" && layout.vocabulary == 257) ||
                     (facts.coding == "symbols" && !facts.symbols.empty()),
                 DataError, "{}: coding \"{}\" with {} different values and {} symbols",
                 shard.path(), facts.coding, layout.vocabulary, facts.symbols.size());
  LONGCONV_CHECK(facts.pad >= 0 && (facts.pad == 0 || facts.pad < layout.vocabulary), DataError,
                 "{}: padding {} is none of its {} values", shard.path(), facts.pad,
                 layout.vocabulary);
  for (const SampleSplit& split : facts.splits) {
    LONGCONV_CHECK(split.begin >= 0 && split.begin <= split.end && split.end <= layout.samples,
                   DataError, "{}: split {} is samples [{}, {}), there are {}", shard.path(),
                   split.name, split.begin, split.end, layout.samples);
  }
}

}  // namespace

std::string to_json(const SampleFacts& facts) {
  ordered_json splits = ordered_json::array();
  for (const SampleSplit& split : facts.splits) {
    splits.push_back({{"name", split.name}, {"begin", split.begin}, {"end", split.end}});
  }
  const ordered_json out = {{"task", facts.task},
                            {"columns", facts.columns},
                            {"classes", facts.classes},
                            {"coding", facts.coding},
                            {"symbols", facts.symbols},
                            {"separator", facts.separator},
                            {"pad", facts.pad},
                            {"pad_left", facts.pad_left},
                            {"splits", splits},
                            {"mean", facts.mean},
                            {"deviation", facts.deviation},
                            {"made", ordered_json::parse(facts.made_json)}};
  return out.dump();
}

SampleFacts read_facts(const SampleView& shard) {
  SampleFacts facts;
  try {
    const ordered_json json = ordered_json::parse(shard.facts());
    json.at("task").get_to(facts.task);
    json.at("columns").get_to(facts.columns);
    json.at("classes").get_to(facts.classes);
    json.at("coding").get_to(facts.coding);
    json.at("symbols").get_to(facts.symbols);
    json.at("separator").get_to(facts.separator);
    facts.pad = json.value("pad", std::int64_t{0});  // not in the first shards
    facts.pad_left = json.value("pad_left", false);
    json.at("mean").get_to(facts.mean);
    json.at("deviation").get_to(facts.deviation);
    for (const ordered_json& split : json.at("splits")) {
      facts.splits.push_back({split.at("name").get<std::string>(),
                              split.at("begin").get<std::int64_t>(),
                              split.at("end").get<std::int64_t>()});
    }
    facts.made_json = json.at("made").dump();
  } catch (const ordered_json::exception& error) {
    throw DataError(
        fmt::format("{}: its JSON is not that of a sample shard: {}", shard.path(), error.what()));
  }
  check_fit(facts, shard);
  return facts;
}

}  // namespace longconv::data
