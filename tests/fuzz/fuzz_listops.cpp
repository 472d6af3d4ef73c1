// Any bytes either are a ListOps file, whose expressions then have the answers of the file and
// survive being written down, or are a DataError; without the check of answers any symbols either
// have a value from 0 to 9 or are a DataError.
#include "core/base/error.h"
#include "data/tokenizers/listops_file.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::data::ListOpsRow;
using longconv::data::ListOpsTokenizer;
using longconv::fuzz::promise;

namespace {

std::int64_t rows_of(std::string_view text, bool check_answers) {
  std::int64_t rows = 0;
  try {
    longconv::data::for_each_listops_row(text, "input", check_answers, [&](const ListOpsRow& row) {
      ++rows;
      promise(!row.symbols.empty() && row.answer >= 0 && row.answer <= 9, "a row has an answer");
      const std::vector<std::int32_t> ids(row.symbols.begin(), row.symbols.end());
      promise(longconv::data::parse_listops(ListOpsTokenizer().decode(ids), "again") == row.symbols,
              "symbols survive being written down");
      try {
        const int value = longconv::data::listops_value(row.symbols, "input");
        promise(value >= 0 && value <= 9, "values are digits");
        promise(!check_answers || value == row.answer, "answers are computed");
      } catch (const longconv::DataError&) {
        promise(!check_answers, "checked rows are expressions");
      }
    });
    promise(rows > 0, "a file has rows");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return rows;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  promise(rows_of(text, true) <= rows_of(text, false), "the check only takes away");
  return 0;
}
