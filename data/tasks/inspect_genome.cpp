#include "data/tasks/inspect_genome.h"

#include "data/formats/bed.h"
#include "data/formats/genome.h"
#include "data/formats/genome_files.h"
#include "data/formats/idx_file.h"  // read_maybe_gzip

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace longconv::data {

namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kStretch = 65'536;
constexpr std::int64_t kStretches = 256;
constexpr std::int64_t kListed = 10;
constexpr std::int64_t kShownBases = 80;

/// The sequence and place of a base counted through all sequences.
struct Place {
  std::int64_t sequence = 0;
  std::int64_t base = 0;
};

Place place_of(const Genome& genome, std::int64_t at) {
  Place out;
  for (const Sequence& each : genome.sequences()) {
    if (at < each.length) break;
    at -= each.length;
    ++out.sequence;
  }
  out.base = at;
  return out;
}

class BaseCounts {
 public:
  void add(const Genome& genome, std::int64_t sequence, std::int64_t begin, std::int64_t count) {
    bases_.resize(static_cast<std::size_t>(count));
    genome.read(sequence, begin, bases_);
    for (const char base : bases_) ++counts_[static_cast<unsigned char>(base)];
  }
  [[nodiscard]] ordered_json json() const {
    std::int64_t all = 0;
    for (const std::int64_t count : counts_) all += count;
    const auto share = [&](std::int64_t count) {
      return static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(all, 1));
    };
    ordered_json out;
    std::int64_t soft = 0;
    std::int64_t named = 0;
    for (unsigned char lower = 'a'; lower <= 'z'; ++lower) soft += counts_[lower];
    std::map<char, std::int64_t> letters;
    for (const char letter : {'A', 'C', 'G', 'T', 'N'}) {
      const auto upper = static_cast<unsigned char>(letter);
      letters[letter] = counts_[upper] + counts_[upper | 0x20U];
      named += letters[letter];
      out["share_of_bases"][std::string(1, letter)] = share(letters[letter]);
    }
    out["share_of_bases"]["others"] = share(all - named);
    out["soft_masked"] = share(soft);
    const std::int64_t known = named - letters['N'];
    out["gc"] = static_cast<double>(letters['G'] + letters['C']) /
                static_cast<double>(std::max<std::int64_t>(known, 1));
    out["measured_bases"] = all;
    return out;
  }

 private:
  std::array<std::int64_t, 256> counts_{};
  std::string bases_;
};

void count_all(const Genome& genome, BaseCounts& counts) {
  for (std::size_t i = 0; i < genome.sequences().size(); ++i) {
    const std::int64_t length = genome.sequences()[i].length;
    for (std::int64_t at = 0; at < length; at += kStretch) {
      counts.add(genome, static_cast<std::int64_t>(i), at, std::min(kStretch, length - at));
    }
  }
}

void count_some(const Genome& genome, std::int64_t bases, BaseCounts& counts) {
  for (std::int64_t i = 0; i < kStretches; ++i) {
    const Place place = place_of(genome, i * (bases / kStretches));
    const std::int64_t length = genome.sequences()[static_cast<std::size_t>(place.sequence)].length;
    counts.add(genome, place.sequence, place.base, std::min(kStretch, length - place.base));
  }
}

}  // namespace

bool is_genome_file(const std::filesystem::path& path) { return !genome_name(path).empty(); }

bool is_bed_file(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".bed") || name.ends_with(".bed.gz");
}

std::string inspect_genome(const std::filesystem::path& path, std::int64_t samples, bool all) {
  const auto genome = open_genome(path);
  std::int64_t bases = 0;
  for (const Sequence& each : genome->sequences()) bases += each.length;
  ordered_json out = {{"kind", "genome"},
                      {"path", path.string()},
                      {"sequences", genome->sequences().size()},
                      {"bases", bases}};
  for (const Sequence& each : genome->sequences()) {
    if (static_cast<std::int64_t>(out["lengths"].size()) == kListed) break;
    out["lengths"][each.name] = each.length;
  }
  BaseCounts counts;
  if (all || bases <= kStretch * kStretches) {
    count_all(*genome, counts);
  } else {
    count_some(*genome, bases, counts);
  }
  out.update(counts.json());
  for (std::int64_t i = 0; i < samples; ++i) {
    const Place place = place_of(*genome, i * (bases / samples));
    const Sequence& from = genome->sequences()[static_cast<std::size_t>(place.sequence)];
    std::string shown(static_cast<std::size_t>(std::min(kShownBases, from.length - place.base)),
                      '\0');
    genome->read(place.sequence, place.base, shown);
    out["shown"].push_back({{"sequence", from.name}, {"first_base", place.base}, {"bases", shown}});
  }
  return out.dump(2, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace);
}

std::string inspect_bed(const std::filesystem::path& path, std::int64_t samples) {
  const std::vector<std::byte> bytes = read_maybe_gzip(path);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::int64_t rows = 0;
  std::int64_t bases = 0;
  std::map<std::string, std::int64_t> parts;
  std::map<std::string, std::int64_t> sequences;
  std::vector<std::int64_t> lengths;
  ordered_json shown = ordered_json::array();
  for_each_bed_row(text, path.string(), [&](const BedRow& row, const std::string&) {
    ++rows;
    lengths.push_back(row.end - row.start);
    bases += lengths.back();
    ++sequences[std::string(row.sequence)];
    // A name or a score is another for each row, and no part.
    if (!row.more.empty() && parts.size() <= 16) ++parts[std::string(row.more.front())];
    if (rows <= samples) {
      shown.push_back({{"sequence", row.sequence}, {"start", row.start}, {"end", row.end}});
    }
  });
  std::sort(lengths.begin(), lengths.end());
  ordered_json out = {{"kind", "intervals"},
                      {"path", path.string()},
                      {"intervals", rows},
                      {"bases", bases},
                      {"sequences", sequences.size()}};
  if (!parts.empty() && parts.size() <= 16) {
    for (const auto& [part, count] : parts) out["fourth_column"][part] = count;
  }
  if (!lengths.empty()) {
    out["length"] = {{"least", lengths.front()},
                     {"median", lengths[lengths.size() / 2]},
                     {"most", lengths.back()}};
  }
  out["shown"] = std::move(shown);
  return out.dump(2, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace);
}

}  // namespace longconv::data
