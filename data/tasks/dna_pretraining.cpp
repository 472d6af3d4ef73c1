#include "data/tasks/dna_pretraining.h"

#include "core/base/check.h"
#include "core/files/hash.h"
#include "data/formats/bases.h"
#include "data/formats/bed.h"
#include "data/formats/idx_file.h"  // read_maybe_gzip
#include "data/formats/text_fields.h"
#include "data/tasks/counter_random.h"
#include "data/tasks/dna_rows.h"

#include <algorithm>
#include <utility>

namespace longconv::data {

namespace {

struct Interval {
  std::int64_t sequence = 0;
  std::int64_t start = 0;
  std::int64_t end = 0;
};

/// The intervals of a part, in the order of the file.
std::vector<Interval> read_intervals(const std::string& path, const std::string& part,
                                     const Genome& genome) {
  const std::vector<std::byte> bytes = read_maybe_gzip(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<Interval> out;
  for_each_bed_row(text, path, [&](const BedRow& row, const std::string& where) {
    const std::string_view split = row.more.empty() ? "" : row.more.front();
    LONGCONV_CHECK(split == "train" || split == "valid" || split == "validation" || split == "test",
                   DataError, "{}: fourth column \"{:.40}\", expected train, valid or test", where,
                   split);
    const std::int64_t sequence = genome.find(row.sequence);
    LONGCONV_CHECK(sequence >= 0, DataError,
                   "{}: {} has no sequence \"{:.80}\": intervals of another assembly?", where,
                   genome.path(), row.sequence);
    const std::int64_t length = genome.sequences()[static_cast<std::size_t>(sequence)].length;
    LONGCONV_CHECK(row.end <= length, DataError,
                   "{}: [{}, {}) of {}, which has {} bases in {}: intervals of another assembly?",
                   where, row.start, row.end, row.sequence, length, genome.path());
    if ((split == "valid" ? "validation" : split) == part) {
      out.push_back({sequence, row.start, row.end});
    }
  });
  LONGCONV_CHECK(!out.empty(), DataError, "{}: no interval of part \"{}\"", path, part);
  return out;
}

void replace_n(std::span<std::int64_t> row) {
  std::replace(row.begin(), row.end(), std::int64_t{DnaTokenizer::kN},
               std::int64_t{DnaTokenizer::kPad});
}

void check_index(std::int64_t index, std::int64_t size) {
  LONGCONV_CHECK(index >= 0 && index < size, DataError, "window {} asked for, there are {}", index,
                 size);
}

}  // namespace

std::shared_ptr<const Genome> open_genome_of(const config::Key<std::string>& key) {
  if (key().empty()) key.fail("no genome given; expected a FASTA or a 2bit file");
  return open_genome(key());
}

GenomeWindow window_of(std::int64_t start, std::int64_t end, std::int64_t length,
                       std::int64_t sequence_length) {
  const std::int64_t extra = length - (end - start);
  if (extra > 0) {
    start -= extra / 2;
    end += extra - extra / 2;
  } else {
    end = start + length;
  }
  GenomeWindow out;
  out.begin = std::max<std::int64_t>(start, 0);
  out.end = std::min(end, sequence_length);
  out.left = out.begin - start;
  out.right = end - out.end;
  return out;
}

struct DnaPretraining::Impl {
  std::shared_ptr<const Genome> genome;
  std::shared_ptr<const DnaTokenizer> tokenizer;
  std::shared_ptr<const std::vector<Interval>> intervals;
  std::int64_t length = 0;  // ids of a window
  std::int64_t left_out = 0;
  std::int64_t shift_left = 0;
  std::int64_t shift_right = 0;
  bool reverse_complement = false;
  bool end_symbol = true;
  bool pad_interval = false;
  bool n_is_padding = false;
  bool ignore_padding = true;

  /// The interval moved by chance, but not over the ends of its sequence.
  [[nodiscard]] Interval shifted(Interval interval, std::int64_t sequence_length,
                                 CounterRandom& random) const {
    const std::int64_t low = std::max(-shift_left, -interval.start);
    const std::int64_t high = std::min(shift_right, sequence_length - interval.end);
    const auto choices = static_cast<std::uint32_t>(high - low + 1);
    const std::int64_t by = low + random.below(choices);
    return {interval.sequence, interval.start + by, interval.end + by};
  }

  void read(const Interval& of, const std::uint64_t* key, std::string& out) const {
    const std::int64_t whole = genome->sequences()[static_cast<std::size_t>(of.sequence)].length;
    Interval interval = of;
    bool other_strand = false;
    if (key != nullptr) {
      CounterRandom random(*key, 0);
      if (shift_left > 0 || shift_right > 0) interval = shifted(interval, whole, random);
      other_strand = reverse_complement && random.below(2) == 1;
    }
    const GenomeWindow window = window_of(interval.start, interval.end, length, whole);
    const auto count = static_cast<std::size_t>(window.end - window.begin);
    // What lies outside stays on its side when the rest is turned round, as in HyenaDNA.
    const auto left = pad_interval ? static_cast<std::size_t>(window.left) : 0;
    const auto right = pad_interval ? static_cast<std::size_t>(window.right) : 0;
    out.assign(left + count + right, '.');
    const std::span<char> bases(out.data() + left, count);
    genome->read(interval.sequence, window.begin, bases);
    if (other_strand) data::reverse_complement(bases);
  }
};

DnaPretraining::DnaPretraining(const DnaPretrainingConfig& config, const std::string& part,
                               std::int64_t length)
    : DnaPretraining(config, part, length, open_genome_of(config.genome)) {}

DnaPretraining::DnaPretraining(const DnaPretrainingConfig& config, const std::string& part,
                               std::int64_t length, std::shared_ptr<const Genome> genome) {
  LONGCONV_CHECK(length >= 2, DataError, "windows of {} ids: expected at least 2", length);
  if (config.intervals().empty()) {
    config.intervals.fail(
        "no intervals given; expected a BED file whose fourth column says train, "
        "valid or test");
  }
  auto impl = std::make_shared<Impl>();
  impl->genome = std::move(genome);
  TokenizerOptions options;
  options.upper_case = config.upper_case();
  impl->tokenizer = std::make_shared<DnaTokenizer>(options);
  impl->length = length;
  impl->end_symbol = config.end_symbol();
  impl->pad_interval = config.pad_interval();
  impl->n_is_padding = config.n_is_padding();
  impl->ignore_padding = config.ignore_padding();
  const bool augmented = part == "train";
  impl->reverse_complement = augmented && config.reverse_complement();
  impl->shift_left = augmented ? config.shift_left() : 0;
  impl->shift_right = augmented ? config.shift_right() : 0;
  std::vector<Interval> intervals = read_intervals(config.intervals(), part, *impl->genome);
  if (const double most = config.max_n_share(); most < 1.0) {
    std::string bases;
    const auto has_too_many = [&](const Interval& interval) {
      impl->read(interval, nullptr, bases);
      const auto unknown = std::count_if(bases.begin(), bases.end(),
                                         [](char base) { return base == 'N' || base == 'n'; });
      return static_cast<double>(unknown) > most * static_cast<double>(bases.size());
    };
    impl->left_out = static_cast<std::int64_t>(std::erase_if(intervals, has_too_many));
    LONGCONV_CHECK(!intervals.empty(), DataError,
                   "{}: every window of part \"{}\" has a larger share of N than max_n_share = {}",
                   config.intervals(), part, most);
  }
  impl->intervals = std::make_shared<const std::vector<Interval>>(std::move(intervals));
  impl_ = std::move(impl);
}

std::shared_ptr<const DnaPretraining> DnaPretraining::at_length(std::int64_t length) const {
  LONGCONV_CHECK(length >= 2, DataError, "windows of {} ids: expected at least 2", length);
  auto impl = std::make_shared<Impl>(*impl_);
  impl->length = length;
  return std::shared_ptr<const DnaPretraining>(new DnaPretraining(std::move(impl)));
}

std::int64_t DnaPretraining::size() const {
  return static_cast<std::int64_t>(impl_->intervals->size());
}
std::int64_t DnaPretraining::seq_len() const { return impl_->length - 1; }
const DnaTokenizer& DnaPretraining::tokenizer() const { return *impl_->tokenizer; }
std::int64_t DnaPretraining::left_out() const { return impl_->left_out; }

std::shared_ptr<const Genome> DnaPretraining::genome() const { return impl_->genome; }

std::string DnaPretraining::fingerprint() const {
  files::Sha256 hash;
  for (const Sequence& each : impl_->genome->sequences()) {
    hash.update(fmt::format("{} {}\n", each.name, each.length));
  }
  for (const Interval& each : *impl_->intervals) {
    hash.update(fmt::format("{} {} {}\n", each.sequence, each.start, each.end));
  }
  hash.update(files::hex(impl_->tokenizer->fingerprint()));
  return files::hex(hash.finish());
}

std::string DnaPretraining::bases(std::int64_t index, const std::uint64_t* key) const {
  check_index(index, size());
  std::string out;
  impl_->read((*impl_->intervals)[static_cast<std::size_t>(index)], key, out);
  return out;
}

Batch DnaPretraining::get(std::span<const std::int64_t> indices) const {
  return rows(indices, nullptr);
}

Batch DnaPretraining::draw(std::span<const std::int64_t> indices,
                           std::span<const std::uint64_t> keys) const {
  return rows(indices, keys.data());
}

Batch DnaPretraining::rows(std::span<const std::int64_t> indices, const std::uint64_t* keys) const {
  std::string window;
  return next_token_batch(static_cast<std::int64_t>(indices.size()), seq_len(),
                          impl_->ignore_padding, [&](std::int64_t i, std::span<std::int64_t> row) {
                            const std::int64_t index = indices[static_cast<std::size_t>(i)];
                            check_index(index, size());
                            impl_->read((*impl_->intervals)[static_cast<std::size_t>(index)],
                                        keys == nullptr ? nullptr : keys + i, window);
                            lay_row(*impl_->tokenizer, window, impl_->end_symbol, row);
                            if (impl_->n_is_padding) replace_n(row);
                          });
}

struct DnaTiles::Impl {
  std::shared_ptr<const Genome> genome;
  std::shared_ptr<const DnaTokenizer> tokenizer;
  std::vector<Interval> tiles;
  std::int64_t length = 0;
  bool n_is_padding = false;
  bool ignore_padding = true;
};

namespace {

/// "name:start-end"; names may hold colons themselves.
Interval parse_region(const DnaTilesConfig& config, const std::string& region,
                      const Genome& genome) {
  const std::size_t colon = region.rfind(':');
  const std::size_t dash = region.rfind('-');
  const auto wrong = [&](const std::string& why) {
    config.regions.fail(fmt::format("\"{}\": {}", region, why));
  };
  if (colon == std::string::npos || dash == std::string::npos || dash < colon) {
    wrong("expected name:start-end");
  }
  Interval out;
  try {
    out.start = whole_number(std::string_view(region).substr(colon + 1, dash - colon - 1), region);
    out.end = whole_number(std::string_view(region).substr(dash + 1), region);
  } catch (const DataError& error) {
    wrong(error.what());
  }
  out.sequence = genome.find(region.substr(0, colon));
  if (out.sequence < 0) wrong(fmt::format("{} has no such sequence", genome.path()));
  const std::int64_t length = genome.sequences()[static_cast<std::size_t>(out.sequence)].length;
  if (out.start >= out.end || out.end > length) {
    wrong(fmt::format("expected a start below an end of at most {}", length));
  }
  return out;
}

}  // namespace

DnaTiles::DnaTiles(const DnaTilesConfig& config) {
  auto impl = std::make_shared<Impl>();
  impl->genome = open_genome_of(config.genome);
  TokenizerOptions options;
  options.upper_case = config.upper_case();
  impl->tokenizer = std::make_shared<DnaTokenizer>(options);
  impl->length = config.seq_len();
  impl->n_is_padding = config.n_is_padding();
  impl->ignore_padding = config.ignore_padding();
  for (const std::string& text : config.regions()) {
    const Interval region = parse_region(config, text, *impl->genome);
    for (std::int64_t at = region.start; at < region.end; at += impl->length) {
      impl->tiles.push_back({region.sequence, at, std::min(at + impl->length, region.end)});
    }
  }
  impl_ = std::move(impl);
}

std::int64_t DnaTiles::size() const { return static_cast<std::int64_t>(impl_->tiles.size()); }
std::int64_t DnaTiles::seq_len() const { return impl_->length; }

Batch DnaTiles::get(std::span<const std::int64_t> indices) const {
  std::string bases;
  return next_token_batch(static_cast<std::int64_t>(indices.size()), seq_len(),
                          impl_->ignore_padding, [&](std::int64_t i, std::span<std::int64_t> row) {
                            const std::int64_t index = indices[static_cast<std::size_t>(i)];
                            check_index(index, size());
                            const Interval& tile = impl_->tiles[static_cast<std::size_t>(index)];
                            bases.resize(static_cast<std::size_t>(tile.end - tile.start));
                            impl_->genome->read(tile.sequence, tile.start, bases);
                            lay_row(*impl_->tokenizer, bases, /*end_symbol=*/true, row);
                            if (impl_->n_is_padding) replace_n(row);
                          });
}

}  // namespace longconv::data
