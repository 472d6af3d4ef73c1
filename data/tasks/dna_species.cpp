#include "data/tasks/dna_species.h"

#include "core/base/check.h"
#include "core/files/hash.h"
#include "data/formats/bases.h"
#include "data/formats/genome.h"
#include "data/formats/genome_files.h"
#include "data/tasks/counter_random.h"
#include "data/tasks/dna_rows.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>
#include <filesystem>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// A sequence windows are drawn from, and how much of it.
struct Source {
  std::int64_t genome = 0;
  std::int64_t sequence = 0;
  std::int64_t begin = 0;  ///< [begin, end) is not trimmed
  std::int64_t end = 0;
};

struct Species {
  std::vector<Source> sources;
  std::vector<std::uint64_t> ends;  ///< of the sources' lengths, added up
};

bool is_named(const std::string& file, const std::vector<std::string>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return file == name || file == "chr" + name; });
}

}  // namespace

std::vector<std::string> species_names(const DnaSpeciesKeys& config) {
  const fs::path folder = config.folder();
  std::error_code error;
  if (config.folder().empty() || !fs::is_directory(folder, error)) {
    config.folder.fail(
        fmt::format("expected a folder with a folder a species, got \"{}\"", folder.string()));
  }
  std::vector<std::string> names = config.species();
  if (names.empty()) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
  }
  for (const std::string& name : names) {
    if (name.find('/') != std::string::npos || !fs::is_directory(folder / name, error)) {
      config.species.fail(fmt::format("{} has no folder \"{}\"", folder.string(), name));
    }
  }
  if (names.size() < 2) {
    config.folder.fail(
        fmt::format("{} has {} species, expected two or more", folder.string(), names.size()));
  }
  return names;
}

struct DnaSpecies::Impl {
  explicit Impl(bool upper_case)
      : tokenizer(std::make_shared<const DnaTokenizer>(
            TokenizerOptions{/*special_text=*/false, upper_case})) {}
  std::vector<std::string> names;
  std::vector<Species> species;
  std::vector<std::shared_ptr<const Genome>> genomes;
  std::shared_ptr<const DnaTokenizer> tokenizer;
  std::string part;
  std::int64_t length = 0;
  std::int64_t count = 0;
  bool by_length = false;
  bool reverse_complement = false;

  void add_file(Species& to, const fs::path& path, double trimmed) {
    const auto genome = static_cast<std::int64_t>(genomes.size());
    genomes.push_back(open_genome(path));
    const auto& sequences = genomes.back()->sequences();
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const auto cut =
          static_cast<std::int64_t>(trimmed * static_cast<double>(sequences[i].length));
      const Source source{genome, static_cast<std::int64_t>(i), cut, sequences[i].length - cut};
      to.sources.push_back(source);
      const std::uint64_t before = to.ends.empty() ? 0 : to.ends.back();
      to.ends.push_back(before + static_cast<std::uint64_t>(source.end - source.begin));
    }
  }

  [[nodiscard]] const Source& choose(const Species& of, CounterRandom& random) const {
    if (!by_length) {
      return of.sources[random.below(static_cast<std::uint32_t>(of.sources.size()))];
    }
    const std::uint64_t at = random.next() % of.ends.back();
    const auto found = std::upper_bound(of.ends.begin(), of.ends.end(), at);
    return of.sources[static_cast<std::size_t>(found - of.ends.begin())];
  }
};

DnaSpecies::DnaSpecies(const DnaSpeciesConfig& config)
    : DnaSpecies(config, config.part(), config.seq_len(), config.count()) {}

DnaSpecies::DnaSpecies(const DnaSpeciesKeys& config, const std::string& part, std::int64_t seq_len,
                       std::int64_t count) {
  auto impl = std::make_shared<Impl>(config.upper_case());
  impl->names = species_names(config);
  impl->part = part;
  impl->length = seq_len;
  impl->count = count;
  impl->by_length = config.by_length();
  impl->reverse_complement = config.reverse_complement() && part == "train";
  const double trimmed = !config.trim_ends() ? 0.0 : part == "train" ? 0.1 : 0.2;
  for (const std::string& name : impl->names) {
    const fs::path folder = fs::path(config.folder()) / name;
    Species& species = impl->species.emplace_back();
    for (const fs::path& path : list_genomes(folder)) {
      const std::string file = genome_name(path);
      const std::string own = is_named(file, config.validation()) ? "validation"
                              : is_named(file, config.test())     ? "test"
                                                                  : "train";
      if (own == part) impl->add_file(species, path, trimmed);
    }
    LONGCONV_CHECK(!species.sources.empty(), DataError,
                   "{}: no FASTA or 2bit file of it belongs to part \"{}\"", folder.string(), part);
  }
  impl_ = std::move(impl);
}

std::int64_t DnaSpecies::size() const { return impl_->count; }
std::int64_t DnaSpecies::seq_len() const { return impl_->length; }
const std::vector<std::string>& DnaSpecies::species() const { return impl_->names; }

std::shared_ptr<const DnaSpecies> DnaSpecies::at_length(std::int64_t seq_len) const {
  auto impl = std::make_shared<Impl>(*impl_);
  impl->length = seq_len;
  return std::shared_ptr<const DnaSpecies>(new DnaSpecies(std::move(impl)));
}

std::string DnaSpecies::fingerprint() const {
  files::Sha256 hash;
  for (const std::string& name : impl_->names) hash.update(name + "\n");
  for (const auto& genome : impl_->genomes) {
    hash.update(genome_name(genome->path()) + "\n");
    for (const Sequence& each : genome->sequences()) {
      hash.update(fmt::format("{} {}\n", each.name, each.length));
    }
  }
  hash.update(files::hex(impl_->tokenizer->fingerprint()));
  return files::hex(hash.finish());
}

std::uint64_t DnaSpecies::fixed_key(std::int64_t index) const {
  LONGCONV_CHECK(index >= 0 && index < size(), DataError, "window {} asked for, there are {}",
                 index, size());
  const std::int64_t part = impl_->part == "train" ? 0 : impl_->part == "validation" ? 1 : 2;
  return draw_key(/*seed=*/0, part, index);
}

DnaSpecies::Window DnaSpecies::window(std::uint64_t key) const {
  CounterRandom random(key, 0);
  Window out;
  out.species = random.below(static_cast<std::uint32_t>(impl_->species.size()));
  const Source& from = impl_->choose(impl_->species[static_cast<std::size_t>(out.species)], random);
  const std::int64_t count = std::min(impl_->length, from.end - from.begin);
  // Starts are uniform over all that leave a whole window; HyenaDNA's cut those near the end short.
  const auto starts = static_cast<std::uint64_t>(from.end - from.begin - count + 1);
  out.begin = from.begin + static_cast<std::int64_t>(random.next() % starts);
  const Genome& genome = *impl_->genomes[static_cast<std::size_t>(from.genome)];
  out.file = genome.path();
  out.sequence = genome.sequences()[static_cast<std::size_t>(from.sequence)].name;
  out.bases.resize(static_cast<std::size_t>(count));
  genome.read(from.sequence, out.begin, out.bases);
  if (impl_->reverse_complement && random.below(2) == 1) data::reverse_complement(out.bases);
  return out;
}

Batch DnaSpecies::get(std::span<const std::int64_t> indices) const {
  std::vector<std::uint64_t> keys(indices.size());
  std::transform(indices.begin(), indices.end(), keys.begin(),
                 [&](std::int64_t index) { return fixed_key(index); });
  return rows(keys);
}

Batch DnaSpecies::draw(std::span<const std::int64_t> indices,
                       std::span<const std::uint64_t> keys) const {
  return impl_->part == "train" ? rows(keys) : get(indices);
}

Batch DnaSpecies::rows(std::span<const std::uint64_t> keys) const {
  const auto batch = static_cast<std::int64_t>(keys.size());
  Batch out{at::empty({batch, impl_->length}, at::kLong), at::empty({batch}, at::kLong)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<std::int64_t>();
  for (const std::uint64_t key : keys) {
    const Window drawn = window(key);
    lay_row(*impl_->tokenizer, drawn.bases, /*end_symbol=*/false,
            {input, static_cast<std::size_t>(impl_->length)});
    *target++ = drawn.species;
    input += impl_->length;
  }
  return out;
}

}  // namespace longconv::data
