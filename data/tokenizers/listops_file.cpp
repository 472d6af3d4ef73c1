#include "data/tokenizers/listops_file.h"

#include "core/base/check.h"
#include "data/formats/text_fields.h"

#include <algorithm>
#include <utility>

namespace longconv::data {

namespace {

int apply(std::uint8_t op, std::vector<int> args) {
  std::sort(args.begin(), args.end());
  const std::size_t half = args.size() / 2;
  switch (op) {
    case kListOpsMin:
      return args.front();
    case kListOpsMax:
      return args.back();
    case kListOpsMed:  // of an even count the mean of the middle two, truncated
      return args.size() % 2 == 1 ? args[half] : (args[half - 1] + args[half]) / 2;
    default: {
      int sum = 0;
      for (const int arg : args) sum += arg;
      return sum % 10;
    }
  }
}

}  // namespace

int listops_value(std::span<const std::uint8_t> symbols, const std::string& where) {
  struct Open {
    std::uint8_t op;
    std::vector<int> args;
  };
  std::vector<Open> open;
  int value = -1;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::uint8_t symbol = symbols[i];
    const bool complete = open.empty() && i > 0;
    LONGCONV_CHECK(symbol >= kListOpsClose && symbol <= kListOpsSum && !complete, DataError,
                   "{}: symbol {} does not belong to an expression", where, i + 1);
    if (symbol >= kListOpsMin) {
      open.push_back({symbol, {}});
      continue;
    }
    if (symbol == kListOpsClose) {
      LONGCONV_CHECK(!open.empty() && !open.back().args.empty(), DataError,
                     "{}: symbol {} closes an operator without arguments", where, i + 1);
      value = apply(open.back().op, std::move(open.back().args));
      open.pop_back();
    } else {
      value = symbol - kListOpsDigit;
    }
    if (!open.empty()) open.back().args.push_back(value);
  }
  LONGCONV_CHECK(open.empty() && value >= 0, DataError, "{}: {}", where,
                 symbols.empty() ? "no expression" : "an operator is not closed");
  return value;
}

std::vector<std::uint8_t> parse_listops(std::string_view source, const std::string& where) {
  const std::vector<std::int32_t> ids = ListOpsTokenizer().encode(source);
  const auto unknown =
      std::find_if(ids.begin(), ids.end(), [](auto id) { return id < kListOpsClose; });
  LONGCONV_CHECK(unknown == ids.end(), DataError, "{}: symbol {} belongs to no expression", where,
                 unknown - ids.begin() + 1);
  return {ids.begin(), ids.end()};
}

void for_each_listops_row(std::string_view text, const std::string& path, bool check_answers,
                          const std::function<void(ListOpsRow)>& handle) {
  bool header = true;
  bool any = false;
  for_each_text_line(text, path, [&](std::string_view line, const std::string& where) {
    if (std::exchange(header, false)) {
      LONGCONV_CHECK(line == "Source\tTarget", DataError,
                     "{}: expected the header Source<tab>Target, got {:.60}", where, line);
      return;
    }
    const auto fields = split_fields(line, '\t');
    const bool digit =
        fields.size() == 2 && fields[1].size() == 1 && fields[1][0] >= '0' && fields[1][0] <= '9';
    LONGCONV_CHECK(digit, DataError,
                   "{}: expected an expression, a tab and a digit; {} fields came", where,
                   fields.size());
    ListOpsRow row{parse_listops(fields[0], where), fields[1][0] - '0'};
    if (check_answers) {
      const int value = listops_value(row.symbols, where);
      LONGCONV_CHECK(value == row.answer, DataError,
                     "{}: the answer is {}, but the expression gives {}", where, row.answer, value);
    }
    LONGCONV_CHECK(!row.symbols.empty(), DataError, "{}: an empty expression", where);
    handle(std::move(row));
    any = true;
  });
  LONGCONV_CHECK(any, DataError, "{}: no expression in it", path);
}

}  // namespace longconv::data
