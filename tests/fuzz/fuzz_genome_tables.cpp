// Any bytes either are a table of stretches that lie in the genome, or are a DataError. The first
// byte chooses: intervals, or windows of the chromatin profile with so many labels.
#include "core/base/error.h"
#include "data/formats/genome_tables.h"
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <cstring>

using longconv::data::Genome;
using longconv::fuzz::promise;

namespace {

/// Sequences of A alone.
class SmallGenome final : public Genome {
 public:
  SmallGenome() : Genome("genome") {
    set_sequences({{"chr1", 1500}, {"2", 1000}, {"chrX", 1001}, {"short", 5}});
  }

 private:
  void read_checked(std::int64_t /*sequence*/, std::int64_t /*begin*/,
                    std::span<char> out) const override {
    std::fill(out.begin(), out.end(), 'A');
  }
};

/// Genome::read refuses what lies outside.
std::string bases_of(const Genome& genome, std::int64_t sequence, std::int64_t start,
                     std::int64_t end) {
  std::string bases(static_cast<std::size_t>(end - start), '.');
  try {
    genome.read(sequence, start, bases);
  } catch (const longconv::DataError&) {
    promise(false, "stretches lie in the genome");
  }
  return bases;
}

void check_intervals(std::string_view text, const Genome& genome) {
  std::int64_t rows = 0;
  longconv::data::for_each_genome_interval(
      text, "input", genome, [&](const longconv::data::GenomeInterval& row) {
        ++rows;
        promise(row.start < row.end, "intervals are not empty");
        bases_of(genome, row.sequence, row.start, row.end);
      });
  promise(rows > 0, "a table has intervals");
}

void check_chromatin(std::string_view text, const Genome& genome, std::int64_t labels) {
  const auto table = longconv::data::parse_chromatin(text, "input", genome, labels);
  promise(static_cast<std::int64_t>(table.labels.size()) == labels, "labels are as many as asked");
  promise(!table.places.empty() && table.bits.size() == table.places.size() * table.bytes_of_row(),
          "a table has windows, each with its labels");
  // A line with k ones says so.
  std::size_t ones = 0;
  for (std::size_t place = 0; place < table.places.size(); ++place) {
    const auto& [sequence, start] = table.places[place];
    bases_of(genome, sequence, start, start + longconv::data::ChromatinTable::kWindow);
    for (std::size_t label = 0; label < table.labels.size(); ++label) {
      ones += table.has(place, label) ? 1 : 0;
    }
  }
  promise(ones <= static_cast<std::size_t>(std::count(text.begin(), text.end(), '1')),
          "labels come from the file");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const SmallGenome genome;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] % 2 == 0) {
      check_intervals(text, genome);
    } else {
      check_chromatin(text, genome, 1 + data[0] / 2 % 20);
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
