#include "data/tasks/listops.h"

#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "data/formats/text_fields.h"
#include "data/tasks/ordered_work.h"
#include "data/tasks/sample_facts.h"
#include "data/tokenizers/lra.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>

namespace longconv::data {

namespace {

constexpr std::uint8_t kEnd = ListOpsTokenizer::kEos;
constexpr std::uint8_t kClose = 3;
constexpr std::uint8_t kDigit = 4;
constexpr std::uint8_t kMin = 14;
constexpr std::uint8_t kMax = 15;
constexpr std::uint8_t kMed = 16;
constexpr std::uint8_t kSum = 17;
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
    out.push_back(static_cast<std::uint8_t>(kDigit + random.between(0, 9)));
    return true;
  }
  const int args = random.between(2, limits.args);
  out.push_back(static_cast<std::uint8_t>(random.between(kMin, kSum)));
  for (int i = 0; i < args; ++i) {
    if (!grow(random, limits, depth + 1, out)) return false;
  }
  out.push_back(kClose);
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

int apply(std::uint8_t op, std::vector<int> args) {
  std::sort(args.begin(), args.end());
  const std::size_t half = args.size() / 2;
  switch (op) {
    case kMin:
      return args.front();
    case kMax:
      return args.back();
    case kMed:  // of an even count the mean of the middle two, truncated
      return args.size() % 2 == 1 ? args[half] : (args[half - 1] + args[half]) / 2;
    default: {
      int sum = 0;
      for (const int arg : args) sum += arg;
      return sum % 10;
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
  for (std::int32_t id = kClose; id < ListOpsTokenizer::kVocabSize; ++id) {
    out.push_back(ListOpsTokenizer().decode({id}));
  }
  return out;
}

int listops_value(std::span<const std::uint8_t> symbols, const std::string& where) {
  struct Open {
    std::uint8_t op;
    std::vector<int> args;
  };
  std::vector<Open> open;
  int value = -1;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::uint8_t symbol = symbols[i];
    const bool complete = open.empty() && i > 0;
    LONGCONV_CHECK(symbol >= kClose && symbol <= kSum && !complete, DataError,
                   "{}: symbol {} does not belong to an expression", where, i + 1);
    if (symbol >= kMin) {
      open.push_back({symbol, {}});
      continue;
    }
    if (symbol == kClose) {
      LONGCONV_CHECK(!open.empty() && !open.back().args.empty(), DataError,
                     "{}: symbol {} closes an operator without arguments", where, i + 1);
      value = apply(open.back().op, std::move(open.back().args));
      open.pop_back();
    } else {
      value = symbol - kDigit;
    }
    if (!open.empty()) open.back().args.push_back(value);
  }
  LONGCONV_CHECK(open.empty() && value >= 0, DataError, "{}: {}", where,
                 symbols.empty() ? "no expression" : "an operator is not closed");
  return value;
}

std::vector<std::uint8_t> parse_listops(std::string_view source, const std::string& where) {
  const std::vector<std::int32_t> ids = ListOpsTokenizer().encode(source);
  const auto unknown = std::find_if(ids.begin(), ids.end(), [](auto id) { return id < kClose; });
  LONGCONV_CHECK(unknown == ids.end(), DataError, "{}: symbol {} belongs to no expression", where,
                 unknown - ids.begin() + 1);
  return {ids.begin(), ids.end()};
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
    bool header = true;
    for_each_text_line(
        text, sources.back().string(), [&](std::string_view line, const std::string& where) {
          if (std::exchange(header, false)) {
            LONGCONV_CHECK(line == "Source\tTarget", DataError,
                           "{}: expected the header Source<tab>Target, got {:.60}", where, line);
            return;
          }
          const auto fields = split_fields(line, '\t');
          const bool digit = fields.size() == 2 && fields[1].size() == 1 && fields[1][0] >= '0' &&
                             fields[1][0] <= '9';
          LONGCONV_CHECK(digit, DataError,
                         "{}: expected an expression, a tab and a digit; {} fields came", where,
                         fields.size());
          std::vector<std::uint8_t> symbols = parse_listops(fields[0], where);
          const int answer = fields[1][0] - '0';
          if (config.check_answers()) {
            const int value = listops_value(symbols, where);
            LONGCONV_CHECK(value == answer, DataError,
                           "{}: the answer is {}, but the expression gives {}", where, answer,
                           value);
          }
          LONGCONV_CHECK(!symbols.empty(), DataError, "{}: an empty expression", where);
          add(writer, std::move(symbols), answer);
          ++done.samples;
        });
    LONGCONV_CHECK(done.samples > first, DataError, "{}: no expression in it",
                   sources.back().string());
    facts.splits.push_back({split, first, done.samples});
  }
  facts.made_json = sources_json(sources);
  writer.finish(to_json(facts));
  return done;
}

}  // namespace longconv::data
