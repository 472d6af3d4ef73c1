#include "data/tasks/dna_chromatin.h"

#include "core/base/check.h"
#include "data/formats/genome.h"
#include "data/formats/idx_file.h"  // read_maybe_gzip
#include "data/formats/text_fields.h"
#include "data/tasks/dna_pretraining.h"  // open_genome_of
#include "data/tasks/dna_rows.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>

namespace longconv::data {

namespace {

constexpr std::int64_t kWindow = 1000;
constexpr std::size_t kMaxTable = std::size_t{1} << 34;  // the published one has 4 GB

struct Place {
  std::int64_t sequence = 0;
  std::int64_t start = 0;  ///< of 1000 bases
};

/// What a number in Chr_No stands for: "7" for 6; 22 and 23 are X and Y.
std::string chromosome_name(std::int64_t number) {
  return number == 22 ? "X" : number == 23 ? "Y" : std::to_string(number + 1);
}

/// The columns of a table by name.
struct Columns {
  std::size_t chromosome = 0;
  std::size_t start = 0;
  std::size_t end = 0;
  std::size_t first_label = 0;
  std::size_t count = 0;
  std::vector<std::string> labels;
};

Columns read_columns(std::string_view line, const std::string& where, std::int64_t labels) {
  const auto fields = split_fields(line, ',');
  const auto place = [&](std::string_view name) {
    const auto found = std::find(fields.begin(), fields.end(), name);
    LONGCONV_CHECK(found != fields.end(), DataError, "{}: no column {}", where, name);
    return static_cast<std::size_t>(found - fields.begin());
  };
  Columns out{place("Chr_No"), place("Start"), place("End"), 0, fields.size(), {}};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (!fields[i].starts_with("y_")) continue;
    if (out.labels.empty()) out.first_label = i;
    LONGCONV_CHECK(i == out.first_label + out.labels.size(), DataError,
                   "{}: the columns y_... do not follow one another: {}", where, fields[i]);
    out.labels.emplace_back(fields[i]);
  }
  LONGCONV_CHECK(static_cast<std::int64_t>(out.labels.size()) == labels, DataError,
                 "{}: {} columns y_..., expected {}", where, out.labels.size(), labels);
  return out;
}

}  // namespace

struct DnaChromatin::Impl {
  std::shared_ptr<const Genome> genome;
  DnaTokenizer tokenizer;
  std::vector<std::string> labels;
  std::vector<Place> places;
  std::vector<std::uint8_t> bits;  // of each place, label 0 in the lowest bit of its first byte
  std::int64_t length = 0;
  bool end_symbol = true;

  [[nodiscard]] std::size_t bytes_of_row() const { return (labels.size() + 7) / 8; }

  void add_row(const Columns& columns, const std::vector<std::string_view>& fields,
               const std::string& where) {
    LONGCONV_CHECK(fields.size() == columns.count, DataError,
                   "{}: {} fields between commas, the first line has {}", where, fields.size(),
                   columns.count);
    const std::int64_t number = whole_number(fields[columns.chromosome], where);
    const std::int64_t start = whole_number(fields[columns.start], where);
    const std::int64_t end = whole_number(fields[columns.end], where);
    const std::int64_t sequence = genome->find_chromosome(chromosome_name(number));
    LONGCONV_CHECK(sequence >= 0, DataError, "{}: {} has no chromosome for Chr_No {}", where,
                   genome->path(), number);
    const std::int64_t whole = genome->sequences()[static_cast<std::size_t>(sequence)].length;
    LONGCONV_CHECK(end - start == kWindow && end <= whole, DataError,
                   "{}: [{}, {}): expected {} bases in a sequence of {}", where, start, end,
                   kWindow, whole);
    places.push_back({sequence, start});
    const std::size_t at = bits.size();
    bits.resize(at + bytes_of_row(), 0);
    for (std::size_t label = 0; label < labels.size(); ++label) {
      const std::string_view field = fields[columns.first_label + label];
      LONGCONV_CHECK(field == "0" || field == "1" || field == "0.0" || field == "1.0", DataError,
                     "{}: {} is \"{:.20}\", expected 0 or 1", where, labels[label], field);
      if (field.front() == '1') bits[at + label / 8] |= static_cast<std::uint8_t>(1U << label % 8);
    }
  }
};

DnaChromatin::DnaChromatin(const DnaChromatinConfig& config) {
  auto impl = std::make_shared<Impl>();
  impl->genome = open_genome_of(config.genome);
  impl->length = config.seq_len();
  impl->end_symbol = config.end_symbol();
  if (impl->length % 2 != 0) config.seq_len.fail("expected an even number of bases");
  if (config.targets().empty()) config.targets.fail("no table given; expected a CSV file");
  const std::vector<std::byte> bytes = read_maybe_gzip(config.targets(), kMaxTable);
  TextLines lines({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, config.targets());
  std::string_view line;
  LONGCONV_CHECK(lines.next(line), DataError, "{}: empty", config.targets());
  const Columns columns = read_columns(line, lines.where(), config.labels());
  impl->labels = columns.labels;
  while (lines.next(line)) impl->add_row(columns, split_fields(line, ','), lines.where());
  LONGCONV_CHECK(!impl->places.empty(), DataError, "{}: no windows in it", config.targets());
  impl_ = std::move(impl);
}

std::int64_t DnaChromatin::size() const { return static_cast<std::int64_t>(impl_->places.size()); }
std::int64_t DnaChromatin::seq_len() const { return impl_->length + (impl_->end_symbol ? 1 : 0); }
const std::vector<std::string>& DnaChromatin::labels() const { return impl_->labels; }

Batch DnaChromatin::get(std::span<const std::int64_t> indices) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  const auto labels = static_cast<std::int64_t>(impl_->labels.size());
  Batch out{at::empty({batch, seq_len()}, at::kLong), at::empty({batch, labels}, at::kFloat)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<float>();
  std::string bases;
  for (const std::int64_t index : indices) {
    LONGCONV_CHECK(index >= 0 && index < size(), DataError, "window {} asked for, there are {}",
                   index, size());
    const auto i = static_cast<std::size_t>(index);
    const Place& place = impl_->places[i];
    const std::int64_t start = place.start - (impl_->length - kWindow) / 2;
    const std::int64_t whole =
        impl_->genome->sequences()[static_cast<std::size_t>(place.sequence)].length;
    const std::int64_t begin = std::max<std::int64_t>(start, 0);
    const std::int64_t end = std::min(start + impl_->length, whole);
    bases.assign(static_cast<std::size_t>(impl_->length), '.');
    impl_->genome->read(place.sequence, begin,
                        std::span(bases).subspan(static_cast<std::size_t>(begin - start),
                                                 static_cast<std::size_t>(end - begin)));
    lay_row(impl_->tokenizer, bases, impl_->end_symbol,
            {input, static_cast<std::size_t>(seq_len())});
    input += seq_len();
    const std::uint8_t* row = impl_->bits.data() + i * impl_->bytes_of_row();
    for (std::int64_t label = 0; label < labels; ++label) {
      *target++ = static_cast<float>(row[label / 8] >> label % 8 & 1);
    }
  }
  return out;
}

}  // namespace longconv::data
