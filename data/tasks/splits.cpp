#include "data/tasks/splits.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randperm.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace longconv::data {

namespace {

const SampleSplit* find(const std::vector<SampleSplit>& splits, std::string_view name) {
  const auto found = std::find_if(splits.begin(), splits.end(),
                                  [&](const SampleSplit& split) { return split.name == name; });
  return found == splits.end() ? nullptr : &*found;
}

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(end - begin));
  std::iota(out.begin(), out.end(), begin);
  return out;
}

/// `all` cut into train, validation, test by the rule; the part asked for, sorted.
std::vector<std::int64_t> cut(const SplitRules& config, std::int64_t begin, std::int64_t end,
                              std::int64_t validation, std::int64_t test, std::string_view part) {
  std::vector<std::int64_t> all = range(begin, end);
  if (config.rule() == "torch") {
    all = torch_permutation(end - begin, static_cast<std::uint64_t>(config.seed()));
    for (std::int64_t& index : all) index += begin;
  }
  const std::int64_t train = end - begin - validation - test;
  const std::int64_t first = part == "train"        ? 0
                             : part == "validation" ? train
                                                    : train + validation;
  const std::int64_t count = part == "train" ? train : part == "validation" ? validation : test;
  return {all.begin() + first, all.begin() + first + count};
}

}  // namespace

std::vector<std::int64_t> torch_permutation(std::int64_t n, std::uint64_t seed) {
  const at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const at::Tensor order = at::randperm(n, generator, at::TensorOptions(at::kLong));
  const auto* data = order.const_data_ptr<std::int64_t>();
  return {data, data + n};
}

std::optional<std::vector<std::int64_t>> part_indices(const SplitRules& config,
                                                      std::string_view part, std::int64_t samples,
                                                      const std::vector<SampleSplit>& published) {
  const double share = config.validation_share();
  if (published.empty()) {
    const auto test = static_cast<std::int64_t>(0.1 * static_cast<double>(samples));
    const auto validation = static_cast<std::int64_t>(share * static_cast<double>(samples));
    return cut(config, 0, samples, validation, test, part);
  }
  const SampleSplit* split = find(published, part);
  const SampleSplit* train = find(published, "train");
  const bool cuts_train = find(published, "validation") == nullptr && train != nullptr;
  if (cuts_train && part != "test" && share > 0) {
    const std::int64_t count = train->end - train->begin;
    const auto kept = static_cast<std::int64_t>(static_cast<double>(count) * (1 - share));
    return cut(config, train->begin, train->end, count - kept, 0, part);
  }
  if (split == nullptr && part == "validation") split = find(published, "test");
  if (split == nullptr) return std::nullopt;
  return range(split->begin, split->end);
}

std::vector<std::int64_t> split_indices(const SplitConfig& config, std::int64_t samples,
                                        const std::vector<SampleSplit>& published) {
  auto indices = part_indices(config, config.part(), samples, published);
  if (!indices) config.part.fail("this data set has no part \"" + config.part() + "\"");
  return *std::move(indices);
}

}  // namespace longconv::data
