#define AT_PER_OPERATOR_HEADERS
#include "train/evaluation/kmers.h"

#include "core/base/check.h"
#include "data/tokenizers/dna.h"

#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

namespace longconv::train {

at::Tensor kmer_shares(const at::Tensor& ids, std::int64_t k) {
  LONGCONV_CHECK(k >= 1 && k <= kLongestKmer, ConfigError,
                 "k-mers: expected a word of 1 to {} bases, got {}", kLongestKmer, k);
  LONGCONV_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kLong && ids.is_cpu(), ShapeError,
                 "k-mers: expected ids [B, L] int64 on the CPU, got [{}] {}",
                 fmt::join(ids.sizes(), ", "), at::toString(ids.scalar_type()));
  const std::int64_t words = std::int64_t{1} << (2 * k);
  at::Tensor shares = at::zeros({ids.size(0), words}, at::kFloat);
  const at::Tensor rows = ids.contiguous();
  const auto* id = rows.const_data_ptr<std::int64_t>();
  auto* share = shares.mutable_data_ptr<float>();
  for (std::int64_t b = 0; b < ids.size(0); ++b, share += words) {
    std::int64_t word = 0;
    std::int64_t known = 0;  // bases in a row that are A, C, G or T
    double count = 0.0;
    for (std::int64_t t = 0; t < ids.size(1); ++t) {
      const std::int64_t base = *id++ - data::DnaTokenizer::kA;
      known = base >= 0 && base < 4 ? known + 1 : 0;
      if (known == 0) continue;
      word = (word * 4 + base) % words;
      if (known < k) continue;
      share[word] += 1.0F;
      count += 1.0;
    }
    if (count > 0.0) {
      for (std::int64_t w = 0; w < words; ++w) share[w] /= static_cast<float>(count);
    }
  }
  return shares;
}

}  // namespace longconv::train
