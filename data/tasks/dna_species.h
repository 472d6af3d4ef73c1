// Which species is this stretch of DNA from (HyenaDNA, arXiv:2306.15794; data.md 7.6): windows
// drawn at random from whole genomes, chromosomes or strains held out for validation and test.
#pragma once

#include "data/loader/loader.h"
#include "data/tasks/dna_config.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

/// One part that is read alone.
struct DnaSpeciesConfig : DnaSpeciesKeys {
  explicit DnaSpeciesConfig(Section* parent = nullptr, std::string name = "")
      : DnaSpeciesKeys(parent, std::move(name), "Species of windows of whole genomes") {}
  config::Key<std::string> part{
      this, "part", "train", config::one_of({"train", "validation", "test"}), "what is drawn from"};
  config::Key<std::int64_t> seq_len{this, "seq_len", 1024,
                                    config::between(std::int64_t{1}, std::int64_t{1} << 28),
                                    "bases of a window"};
};

/// Batches: input (B, seq_len) int64, PAD on the left of sequences shorter than that; target (B)
/// int64, the species' place in the list. draw() gives fresh windows for training; those of the
/// other parts, and of get(), are functions of (part, index), so that evaluations can be compared.
class DnaSpecies final : public Dataset {
 public:
  /// Throws ConfigError for a folder or a species that is not there, DataError for damaged files
  /// and for a species without a file in the part.
  explicit DnaSpecies(const DnaSpeciesConfig& config);
  /// `count` windows of `seq_len` bases an epoch.
  DnaSpecies(const DnaSpeciesKeys& config, const std::string& part, std::int64_t seq_len,
             std::int64_t count);
  /// The same part in windows of another length, of the same open files.
  [[nodiscard]] std::shared_ptr<const DnaSpecies> at_length(std::int64_t seq_len) const;
  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t seq_len() const override;
  [[nodiscard]] Batch get(std::span<const std::int64_t> indices) const override;
  [[nodiscard]] Batch draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const override;
  /// Of each label.
  [[nodiscard]] const std::vector<std::string>& species() const;
  /// Hash of what the part has: species, files, sequences and their lengths.
  [[nodiscard]] std::string fingerprint() const;

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
  explicit DnaSpecies(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  [[nodiscard]] Batch rows(std::span<const std::uint64_t> keys) const;
  std::shared_ptr<const Impl> impl_;
};

/// The species of a folder, in the order of their labels. Throws ConfigError at the key.
std::vector<std::string> species_names(const DnaSpeciesKeys& config);

}  // namespace longconv::data
