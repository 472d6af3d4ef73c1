// Chromatin profile (DeepSEA; data.md 7.7): which of 919 factors, accessible sites and histone
// marks are found at a stretch of 1000 bases, many labels at once.
#pragma once

#include "core/config/section.h"
#include "data/loader/loader.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

struct DnaChromatinConfig : config::Section {
  explicit DnaChromatinConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "Chromatin profile, 919 labels") {}
  config::Key<std::string> genome{this, "genome", "", "FASTA or 2bit file, hg19 or hg38"};
  config::Key<std::string> targets{this, "targets", "",
                                   "<part>_<assembly>_coords_targets.csv[.gz]: Chr_No (chromosome "
                                   "- 1), Start, End, and a column "
                                   "y_... of 0 and 1 a label"};
  config::Key<std::int64_t> labels{this, "labels", 919, config::at_least(std::int64_t{1}),
                                   "columns y_... that there must be"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 1000,
                                    config::between(std::int64_t{2}, std::int64_t{1} << 24),
                                    "bases of a window, even, centred where the file's is"};
  config::Key<bool> end_symbol{this, "end_symbol", true,
                               "append [SEP], as HyenaDNA does: a row has seq_len + 1 ids"};
};

/// Batches: input (B, seq_len + 1) int64, upper-cased, [UNK] for what lies outside the chromosome;
/// target (B, labels) float32, 0 or 1.
class DnaChromatin final : public Dataset {
 public:
  /// Reads the whole table: a bit a label. Throws ConfigError; DataError with file and line for a
  /// window outside the genome, another number of columns, or a label that is neither 0 nor 1.
  explicit DnaChromatin(const DnaChromatinConfig& config);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] const std::vector<std::string>& labels() const;  ///< names of the columns

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace longconv::data
