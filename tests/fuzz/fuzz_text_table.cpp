// Any bytes either are a table of labelled texts, of IMDB or AAN, or are a DataError. The first
// byte chooses the layout.
#include "core/base/error.h"
#include "data/formats/text_table.h"
#include "tests/fuzz/fuzz_target.h"

#include <array>
#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array kLayouts = {longconv::data::kImdbTable, longconv::data::kAanTable,
                                   longconv::data::kAanTableWithDuplicates};
  const auto& layout = kLayouts[data[0] % kLayouts.size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    longconv::data::TextTable table(text, "input", layout);
    std::int64_t rows = 0;
    for (longconv::data::LabelledTexts row; table.next(row); ++rows) {
      promise(row.label == 0 || row.label == 1, "labels are 0 or 1");
      promise(row.texts.size() == layout.texts, "a line has its texts");
      for (const std::string_view each : row.texts) {
        promise(!each.empty() && each.find_first_of("\t\n") == std::string_view::npos,
                "texts are fields that are not empty");
        // The label of a line is what stands between its beginning and the first tab.
        const std::string_view before(text.data(),
                                      static_cast<std::size_t>(each.data() - text.data()));
        std::string_view label = before.substr(before.rfind('\n') + 1);
        label = label.substr(0, label.find('\t'));
        if (label.starts_with("\xEF\xBB\xBF")) label.remove_prefix(3);
        promise(row.label == 1 ? label == "1" || label == "1.0" : label == "0" || label == "0.0",
                "labels are what the line says");
      }
    }
    promise(rows > 0, "a table has lines");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input:", 6) == 0, "an error names the file");
  }
  return 0;
}
