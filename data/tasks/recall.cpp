#include "data/tasks/recall.h"

#include "core/base/check.h"
#include "data/tasks/counter_random.h"
#include "data/tasks/ordered_work.h"
#include "data/tasks/sample_facts.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace longconv::data {

namespace {

constexpr char kTrigger[] = "=>";
constexpr std::int64_t kIgnored = -100;

/// Which values the numbers and the trigger have among the sorted symbols.
struct Symbols {
  explicit Symbols(std::int64_t vocabulary) {
    const std::vector<std::string> texts = synthetic_symbols(vocabulary);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i] == kTrigger) {
        trigger = static_cast<std::uint16_t>(i);
      } else if (texts[i] != ".") {
        numbers.push_back(static_cast<std::uint16_t>(i));
      }
    }
  }
  std::vector<std::uint16_t> numbers;  // in the order of the symbols
  std::uint16_t trigger = 0;
};

std::uint16_t pick(CounterRandom& random, std::span<const std::uint16_t> from) {
  return from[random.below(static_cast<std::uint32_t>(from.size()))];
}

std::vector<std::uint16_t> sequence(const RecallConfig& config, std::int64_t index) {
  return recall_sequence(config, index);
}
std::vector<std::uint16_t> sequence(const InductionConfig& config, std::int64_t index) {
  return induction_sequence(config, index);
}

template <class Config>
Generated write(const Config& config, const char* task, const std::filesystem::path& path,
                std::int64_t threads) {
  const auto begin = std::chrono::steady_clock::now();
  SampleLayout layout;
  layout.value_bytes = 2;
  layout.vocabulary = config.vocabulary();
  layout.classes = layout.vocabulary;
  SampleShardWriter writer(path, layout);
  in_order(
      config.count(), threads, 256, [&](std::int64_t i) { return sequence(config, i); },
      [&](const std::vector<std::uint16_t>& symbols) {
        writer.add_part(symbols);
        writer.add_row(std::array<std::int32_t, 1>{symbols.back()});
      });
  SampleFacts facts;
  facts.task = task;
  facts.coding = "symbols";
  facts.symbols = synthetic_symbols(config.vocabulary());
  facts.classes = facts.symbols;
  facts.separator.assign(1, ' ');
  facts.made_json = fmt::format(R"({{"vocabulary":{},"input_len":{},"seed":{}}})",
                                config.vocabulary(), config.input_len(), config.seed());
  writer.finish(to_json(facts));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {config.count(), seconds.count()};
}

}  // namespace

std::vector<std::string> synthetic_symbols(std::int64_t vocabulary) {
  std::vector<std::string> out = {kTrigger, "."};
  for (std::int64_t i = 0; i < vocabulary - 2; ++i) out.push_back(std::to_string(i));
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::uint16_t> recall_sequence(const RecallConfig& config, std::int64_t index) {
  const Symbols symbols(config.vocabulary());
  CounterRandom random(static_cast<std::uint64_t>(config.seed()),
                       static_cast<std::uint64_t>(index));
  const std::size_t half = symbols.numbers.size() / 2;
  const auto keys = std::span(symbols.numbers).first(half);
  const auto values = std::span(symbols.numbers).subspan(half);
  std::vector<std::uint16_t> value_of(half);
  for (std::uint16_t& value : value_of) value = pick(random, values);
  std::vector<std::size_t> used;
  std::vector<std::uint16_t> out;
  for (std::int64_t pair = 0; pair < config.input_len() / 2; ++pair) {
    const std::size_t key = random.below(static_cast<std::uint32_t>(half));
    used.push_back(key);
    out.push_back(keys[key]);
    out.push_back(value_of[key]);
  }
  // A key that has been there, each with the same chance however often it was.
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  const std::size_t asked = used[random.below(static_cast<std::uint32_t>(used.size()))];
  out.insert(out.end(), {symbols.trigger, keys[asked], value_of[asked]});
  return out;
}

std::vector<std::uint16_t> induction_sequence(const InductionConfig& config, std::int64_t index) {
  const Symbols symbols(config.vocabulary());
  CounterRandom random(static_cast<std::uint64_t>(config.seed()),
                       static_cast<std::uint64_t>(index));
  const std::int64_t length = config.input_len();
  std::vector<std::uint16_t> out;
  for (std::int64_t i = 0; i < length; ++i) out.push_back(pick(random, symbols.numbers));
  const std::uint16_t answer = pick(random, symbols.numbers);
  const std::int64_t places = std::min<std::int64_t>(config.triggers(), length / 2);
  const int planted = places == 1 ? 1 : random.between(1, static_cast<int>(places));
  for (int i = 0; i < planted; ++i) {
    // Whole pairs, so that a trigger never loses its answer to a later one.
    const std::size_t at = 2 * std::size_t{random.below(static_cast<std::uint32_t>(length / 2))};
    out[at] = symbols.trigger;
    out[at + 1] = answer;
  }
  out.insert(out.end(), {symbols.trigger, answer});
  return out;
}

Generated write_recall(const RecallConfig& config, const std::filesystem::path& path,
                       std::int64_t threads) {
  return write(config, "recall", path, threads);
}

Generated write_induction(const InductionConfig& config, const std::filesystem::path& path,
                          std::int64_t threads) {
  return write(config, "induction", path, threads);
}

template <class Config>
std::int64_t SyntheticStream<Config>::seq_len() const {
  return static_cast<std::int64_t>(sequence(config_, 0).size()) - 1;
}

template <class Config>
Batch SyntheticStream<Config>::get(std::span<const std::int64_t> indices) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  const std::int64_t length = seq_len();
  Batch out{at::empty({batch, length}, at::kLong), at::empty({batch, length}, at::kLong)};
  auto* input = out.input.template mutable_data_ptr<std::int64_t>();
  auto* target = out.target.template mutable_data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) {
    LONGCONV_CHECK(index >= 0 && index < size(), DataError, "sequence {} asked for, there are {}",
                   index, size());
    const std::vector<std::uint16_t> symbols = sequence(config_, index);
    for (std::int64_t t = 0; t < length; ++t) {
      const bool scored = score_all_ || t == length - 1;
      *input++ = symbols[static_cast<std::size_t>(t)];
      *target++ = scored ? symbols[static_cast<std::size_t>(t) + 1] : kIgnored;
    }
  }
  return out;
}

template class SyntheticStream<RecallConfig>;
template class SyntheticStream<InductionConfig>;

}  // namespace longconv::data
