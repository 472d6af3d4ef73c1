#include "data/formats/genome_tables.h"

#include "core/base/check.h"
#include "data/formats/text_fields.h"

#include <algorithm>
#include <set>
#include <utility>

namespace longconv::data {

namespace {

std::int64_t length_of(const Genome& genome, std::int64_t sequence) {
  return genome.sequences()[static_cast<std::size_t>(sequence)].length;
}

/// What a number in Chr_No stands for: "7" for 6; 22 and 23 are X and Y. Unsigned: the largest has
/// no successor in 64 bits with a sign.
std::string chromosome_name(std::uint64_t number) {
  return number == 22 ? "X" : number == 23 ? "Y" : std::to_string(number + 1);
}

/// The columns of the chromatin profile by name.
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

void add_window(ChromatinTable& table, const Columns& columns, const Genome& genome,
                const std::vector<std::string_view>& fields, const std::string& where) {
  LONGCONV_CHECK(fields.size() == columns.count, DataError,
                 "{}: {} fields between commas, the first line has {}", where, fields.size(),
                 columns.count);
  const std::int64_t number = whole_number(fields[columns.chromosome], where);
  const std::int64_t start = whole_number(fields[columns.start], where);
  const std::int64_t end = whole_number(fields[columns.end], where);
  const std::int64_t sequence =
      genome.find_chromosome(chromosome_name(static_cast<std::uint64_t>(number)));
  LONGCONV_CHECK(sequence >= 0, DataError, "{}: {} has no chromosome for Chr_No {}", where,
                 genome.path(), number);
  const std::int64_t whole = length_of(genome, sequence);
  LONGCONV_CHECK(end - start == ChromatinTable::kWindow && end <= whole, DataError,
                 "{}: [{}, {}): expected {} bases in a sequence of {}", where, start, end,
                 ChromatinTable::kWindow, whole);
  table.places.push_back({sequence, start});
  const std::size_t at = table.bits.size();
  table.bits.resize(at + table.bytes_of_row(), 0);
  for (std::size_t label = 0; label < table.labels.size(); ++label) {
    const std::string_view field = fields[columns.first_label + label];
    LONGCONV_CHECK(field == "0" || field == "1" || field == "0.0" || field == "1.0", DataError,
                   "{}: {} is \"{:.20}\", expected 0 or 1", where, table.labels[label], field);
    if (field.front() == '1') {
      table.bits[at + label / 8] |= static_cast<std::uint8_t>(1U << label % 8);
    }
  }
}

}  // namespace

void for_each_genome_interval(std::string_view text, const std::string& path, const Genome& genome,
                              const std::function<void(const GenomeInterval&)>& handle) {
  std::set<std::string, std::less<>> ids;
  bool header = true;
  for_each_text_line(text, path, [&](std::string_view line, const std::string& where) {
    if (std::exchange(header, false)) {
      LONGCONV_CHECK(line == "id,region,start,end,strand", DataError,
                     "{}: columns \"{:.80}\", expected id,region,start,end,strand", where, line);
      return;
    }
    const auto fields = split_fields(line, ',');
    LONGCONV_CHECK(fields.size() == 5, DataError, "{}: {} fields between commas, expected 5", where,
                   fields.size());
    LONGCONV_CHECK(ids.emplace(fields[0]).second, DataError, "{}: id {:.40} a second time", where,
                   fields[0]);
    GenomeInterval row;
    row.sequence = genome.find_chromosome(std::string(fields[1]));
    LONGCONV_CHECK(row.sequence >= 0, DataError, "{}: {} has no sequence \"{:.80}\"", where,
                   genome.path(), fields[1]);
    row.start = whole_number(fields[2], where);
    row.end = whole_number(fields[3], where);
    const std::int64_t length = length_of(genome, row.sequence);
    LONGCONV_CHECK(row.start < row.end && row.end <= length, DataError,
                   "{}: [{}, {}) of {}, which has {} bases in {}: another assembly?", where,
                   row.start, row.end, fields[1], length, genome.path());
    LONGCONV_CHECK(fields[4].empty() || fields[4] == "+" || fields[4] == "-", DataError,
                   "{}: strand \"{:.20}\", expected + or - or nothing", where, fields[4]);
    row.reverse = fields[4] == "-";
    handle(row);
  });
  LONGCONV_CHECK(!ids.empty(), DataError, "{}: no intervals in it", path);
}

ChromatinTable parse_chromatin(std::string_view text, const std::string& path, const Genome& genome,
                               std::int64_t labels) {
  TextLines lines(text, path);
  std::string_view line;
  LONGCONV_CHECK(lines.next(line), DataError, "{}: empty", path);
  const Columns columns = read_columns(line, lines.where(), labels);
  ChromatinTable table;
  table.labels = columns.labels;
  while (lines.next(line)) {
    add_window(table, columns, genome, split_fields(line, ','), lines.where());
  }
  LONGCONV_CHECK(!table.places.empty(), DataError, "{}: no windows in it", path);
  return table;
}

}  // namespace longconv::data
