#include "data/tasks/dna_rows.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

namespace longconv::data {

void lay_row(const DnaTokenizer& tokenizer, std::span<const char> bases, bool end_symbol,
             std::span<std::int64_t> row) {
  if (end_symbol) {
    row.back() = DnaTokenizer::kEos;
    row = row.first(row.size() - 1);
  }
  bases = bases.first(std::min(bases.size(), row.size()));
  const std::size_t padding = row.size() - bases.size();
  std::fill_n(row.begin(), padding, std::int64_t{DnaTokenizer::kPad});
  tokenizer.encode(bases, row.subspan(padding));
}

Batch next_token_batch(std::int64_t batch, std::int64_t length, bool ignore_padding,
                       const std::function<void(std::int64_t, std::span<std::int64_t>)>& fill) {
  Batch out{at::empty({batch, length}, at::kLong), at::empty({batch, length}, at::kLong)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<std::int64_t>();
  std::vector<std::int64_t> row(static_cast<std::size_t>(length) + 1);
  for (std::int64_t i = 0; i < batch; ++i) {
    fill(i, row);
    std::copy(row.begin(), row.end() - 1, input + i * length);
    std::copy(row.begin() + 1, row.end(), target + i * length);
  }
  if (ignore_padding) {
    std::replace(target, target + batch * length, std::int64_t{DnaTokenizer::kPad}, kIgnoredTarget);
  }
  return out;
}

}  // namespace longconv::data
