#include "data/tasks/listops.h"

#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "data/tasks/ordered_work.h"
#include "data/tasks/sample_facts.h"
#include "data/tokenizers/listops_file.h"
#include "data/tokenizers/lra.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>

namespace longconv::data {

namespace {

constexpr std::uint8_t kEnd = ListOpsTokenizer::kEos;
constexpr double kDigitShare = 0.75;

struct Limits {
  int depth;
  int args;
  std::size_t longer_than;
  std::size_t shorter_than;
};

/// Appends an expression; false as soon as it is too long, when what is there is of no use.
bool grow(CounterRandom& random, const Limits& limits, int depth, std::vector<std::uint8_t>& out) {
  if (out.size() >= limits.shorter_than) return false;
  // 1 - share as a threshold: `r > 0.25` is a digit.
  if (depth >= limits.depth || random.uniform() > 1 - kDigitShare) {
    out.push_back(static_cast<std::uint8_t>(kListOpsDigit + random.between(0, 9)));
    return true;
  }
  const int args = random.between(2, limits.args);
  out.push_back(static_cast<std::uint8_t>(random.between(kListOpsMin, kListOpsSum)));
  for (int i = 0; i < args; ++i) {
    if (!grow(random, limits, depth + 1, out)) return false;
  }
  out.push_back(kListOpsClose);
  return true;
}

std::vector<std::uint8_t> expression(const Limits& limits, std::uint64_t seed, std::int64_t index) {
  CounterRandom random(seed, static_cast<std::uint64_t>(index));
  std::vector<std::uint8_t> out;
  while (true) {
    out.clear();
    if (grow(random, limits, 1, out) && out.size() > limits.longer_than &&
        out.size() < limits.shorter_than) {
      return out;
    }
  }
}

SampleFacts listops_facts() {
  SampleFacts facts;
  facts.task = "listops";
  facts.coding = "symbols";
  facts.symbols = listops_symbols();
  facts.separator.assign(1, ' ');
  return facts;
}

SampleLayout listops_layout() {
  SampleLayout layout;
  layout.vocabulary = static_cast<std::int64_t>(listops_symbols().size());
  layout.classes = 10;
  return layout;
}

void add(SampleShardWriter& writer, std::vector<std::uint8_t> symbols, int answer) {
  symbols.push_back(kEnd);
  writer.add_part(symbols);
  writer.add_row(std::array<std::int32_t, 1>{answer});
}

}  // namespace

std::vector<std::string> listops_symbols() {
  std::vector<std::string> out = {"<pad>", "<unk>", "<eos>"};
  for (std::int32_t id = kListOpsClose; id < ListOpsTokenizer::kVocabSize; ++id) {
    out.push_back(ListOpsTokenizer().decode({id}));
  }
  return out;
}

Generated write_listops(const ListOpsConfig& config, const std::filesystem::path& path,
                        std::int64_t threads) {
  const auto begin = std::chrono::steady_clock::now();
  const Limits limits{static_cast<int>(config.max_depth()), static_cast<int>(config.max_args()),
                      static_cast<std::size_t>(config.longer_than()),
                      static_cast<std::size_t>(config.shorter_than())};
  if (limits.shorter_than < limits.longer_than + 2) {
    config.shorter_than.fail("expected at least longer_than + 2, for one length at least");
  }
  const std::int64_t count = config.count();
  const auto seed = static_cast<std::uint64_t>(config.seed());
  SampleShardWriter writer(path, listops_layout());
  std::set<std::string> short_ones;  // long ones do not meet by chance
  std::int64_t written = 0;
  std::int64_t next = 0;
  // Exact duplicates are dropped; further numbers take their place.
  while (written < count) {
    const std::int64_t first = std::exchange(next, next + count - written);
    in_order(
        count - written, threads, 64,
        [&](std::int64_t i) { return expression(limits, seed, first + i); },
        [&](const std::vector<std::uint8_t>& symbols) {
          constexpr std::size_t kAlwaysDifferent = 100;
          if (symbols.size() < kAlwaysDifferent &&
              !short_ones.emplace(symbols.begin(), symbols.end()).second)
            return;
          add(writer, symbols, listops_value(symbols, "listops"));
          ++written;
        });
    LONGCONV_CHECK(next < 1000 * count, ConfigError,
                   "listops: there are no {} different expressions within these limits", count);
  }
  SampleFacts facts = listops_facts();
  const std::int64_t held = count / 50;
  facts.splits = {{"train", 0, count - 2 * held},
                  {"validation", count - 2 * held, count - held},
                  {"test", count - held, count}};
  facts.made_json = fmt::format(
      R"({{"seed":{},"max_depth":{},"max_args":{},"longer_than":{},"shorter_than":{}}})", seed,
      limits.depth, limits.args, limits.longer_than, limits.shorter_than);
  writer.finish(to_json(facts));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {count, seconds.count()};
}

Written prepare_listops(const ListOpsFilesConfig& config, const std::filesystem::path& folder,
                        const std::filesystem::path& out, std::int64_t /*threads*/) {
  SampleFacts facts = listops_facts();
  SampleShardWriter writer(out, listops_layout());
  Written done;
  std::vector<std::filesystem::path> sources;
  for (const auto& [split, name] :
       {std::pair("train", "basic_train.tsv"), std::pair("validation", "basic_val.tsv"),
        std::pair("test", "basic_test.tsv")}) {
    sources.push_back(folder / name);
    const files::MappedFile file(sources.back());
    const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                                file.bytes().size());
    const std::int64_t first = done.samples;
    for_each_listops_row(text, sources.back().string(), config.check_answers(),
                         [&](ListOpsRow row) {
                           add(writer, std::move(row.symbols), row.answer);
                           ++done.samples;
                         });
    facts.splits.push_back({split, first, done.samples});
  }
  facts.made_json = sources_json(sources);
  writer.finish(to_json(facts));
  return done;
}

}  // namespace longconv::data
