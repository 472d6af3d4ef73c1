// Times random windows of genomes beside htslib's faidx, in one process and interleaved: one JSON
// object a line on stdout. Both give the same bases, or it stops.
//
//   bench_genome FILE...     FASTA, plain or bgzip; 2bit, which htslib does not read
#include "core/base/check.h"
#include "data/formats/genome.h"
#include "data/tokenizers/dna.h"

#include <fmt/format.h>
#include <htslib/faidx.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using longconv::data::Genome;

struct Window {
  std::int64_t sequence;
  std::int64_t begin;
};

/// Windows of one length; sequences by their lengths.
std::vector<Window> windows_of(const Genome& genome, std::int64_t length, std::size_t count) {
  std::mt19937_64 random(1);
  std::vector<double> weights;
  for (const auto& each : genome.sequences()) {
    weights.push_back(static_cast<double>(std::max<std::int64_t>(each.length - length + 1, 0)));
  }
  std::discrete_distribution<std::int64_t> sequence(weights.begin(), weights.end());
  std::vector<Window> out;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t from = sequence(random);
    const auto starts = static_cast<std::uint64_t>(weights[static_cast<std::size_t>(from)]);
    out.push_back({from, static_cast<std::int64_t>(random() % starts)});
  }
  return out;
}

template <class Act>
double seconds_of(const Act& act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Peer {
  explicit Peer(const std::string& path)
      : index(path.ends_with(".2bit") ? nullptr : fai_load(path.c_str()), &fai_destroy) {}
  std::unique_ptr<faidx_t, void (*)(faidx_t*)> index;
};

void measure(const std::string& path, std::int64_t length) {
  const auto genome = longconv::data::open_genome(path);
  const auto longest =
      std::max_element(genome->sequences().begin(), genome->sequences().end(),
                       [](const auto& a, const auto& b) { return a.length < b.length; });
  if (longest->length < length) return;
  const Peer peer(path);
  const auto count =
      static_cast<std::size_t>(std::clamp<std::int64_t>(50'000'000 / length, 20, 2000));
  const std::vector<Window> windows = windows_of(*genome, length, count);
  std::string bases(static_cast<std::size_t>(length), '\0');
  std::vector<std::int64_t> ids(bases.size());
  const longconv::data::DnaTokenizer tokenizer;
  double ours = 1e9;
  double theirs = 1e9;
  double encoded = 1e9;
  for (int round = 0; round < 5; ++round) {
    ours = std::min(ours, seconds_of([&] {
                      for (const Window& each : windows) {
                        genome->read(each.sequence, each.begin, bases);
                      }
                    }));
    encoded = std::min(encoded, seconds_of([&] {
                         for (const Window& each : windows) {
                           genome->read(each.sequence, each.begin, bases);
                           tokenizer.encode(bases, ids);
                         }
                       }));
    if (peer.index == nullptr) continue;
    theirs = std::min(theirs, seconds_of([&] {
                        for (const Window& each : windows) {
                          const auto& name =
                              genome->sequences()[static_cast<std::size_t>(each.sequence)].name;
                          hts_pos_t got = 0;
                          char* text = faidx_fetch_seq64(peer.index.get(), name.c_str(), each.begin,
                                                         each.begin + length - 1, &got);
                          LONGCONV_CHECK(text != nullptr && got == length, longconv::DataError,
                                         "{}: htslib gives {} bases", path, got);
                          if (&each == &windows.back()) {
                            genome->read(each.sequence, each.begin, bases);
                            LONGCONV_CHECK(bases == text, longconv::DataError,
                                           "{}: htslib reads other bases", path);
                          }
                          std::free(text);
                        }
                      }));
  }
  const double each = 1e6 / static_cast<double>(count);
  fmt::print(
      "{{\"file\": \"{}\", \"bases\": {}, \"windows\": {}, \"us\": {:.1f}, "
      "\"us_with_ids\": {:.1f}",
      path.substr(path.rfind('/') + 1), length, count, ours * each, encoded * each);
  if (peer.index != nullptr) {
    fmt::print(", \"faidx_us\": {:.1f}, \"faidx_over_ours\": {:.2f}", theirs * each, theirs / ours);
  }
  fmt::print("}}\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "use: bench_genome FILE...\n");
    return 2;
  }
  try {
    for (int i = 1; i < argc; ++i) {
      for (const std::int64_t length : {1024, 32'768, 163'840, 1'048'576}) measure(argv[i], length);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
