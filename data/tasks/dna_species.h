// Which species is this stretch of DNA from (HyenaDNA, arXiv:2306.15794; data.md 7.6): windows
// drawn at random from whole genomes, chromosomes or strains held out for validation and test.
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

struct DnaSpeciesConfig : config::Section {
  explicit DnaSpeciesConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "Species of windows of whole genomes") {}
  config::Key<std::string> folder{this, "folder", "",
                                  "a folder a species, with FASTA or 2bit files in it: one a "
                                  "chromosome (chr1.fa, chr2.fna.gz, ...) or one a strain"};
  config::Key<std::vector<std::string>> species{
      this, "species", {}, "folders to use, in the order of their labels; empty = all, by name"};
  config::Key<std::vector<std::string>> validation{
      this,
      "validation",
      {"1", "3", "12", "13"},
      "files held out of every species, by name without ending; \"1\" is chr1 too"};
  config::Key<std::vector<std::string>> test{
      this, "test", {"5", "7", "9", "10", "11"}, "files held out for the test, likewise"};
  config::Key<std::string> part{
      this, "part", "train", config::one_of({"train", "validation", "test"}), "what is drawn from"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 1024,
                                    config::between(std::int64_t{1}, std::int64_t{1} << 28),
                                    "bases of a window"};
  config::Key<std::int64_t> count{this, "count", 10'000, config::at_least(std::int64_t{1}),
                                  "windows of an epoch"};
  config::Key<bool> by_length{this, "by_length", false,
                              "draw sequences of a species by their lengths; false = all alike"};
  config::Key<bool> trim_ends{
      this, "trim_ends", false,
      "draw nothing from the ends of a sequence: train 10 % at either, else "
      "20 %"};
  config::Key<bool> reverse_complement{this, "reverse_complement", false,
                                       "train: show every second window from the other strand"};
  config::Key<bool> upper_case{this, "upper_case", true,
                               "read soft-masked bases as upper case and IUPAC codes as N"};
};

/// Batches: input (B, seq_len) int64, PAD on the left of sequences shorter than that; target (B)
/// int64, the species' place in the list. draw() gives fresh windows for training; those of the
/// other parts, and of get(), are functions of (part, index), so that evaluations can be compared.
class DnaSpecies final : public Dataset {
 public:
  /// Throws ConfigError for a folder or a species that is not there, DataError for damaged files
  /// and for a species without a file in the part.
  explicit DnaSpecies(const DnaSpeciesConfig& config);
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  /// Of each label.
  [[nodiscard]] const std::vector<std::string>& species() const;

  /// One window, as draw() shows it for a key.
  struct Window {
    std::int64_t species = 0;
    std::string file;
    std::string sequence;
    std::int64_t begin = 0;
    std::string bases{};
  };
  [[nodiscard]] Window window(std::uint64_t key) const;
  [[nodiscard]] std::uint64_t fixed_key(std::int64_t index) const;  ///< of get()

 private:
  struct Impl;
  [[nodiscard]] Batch rows(std::span<const std::uint64_t> keys) const;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace longconv::data
