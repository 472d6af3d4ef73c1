// Tables of labelled texts as the Long Range Arena ships them (arXiv:2011.04006; data.md 2.3, 2.4):
// a line a sample, between tabs its label and what follows. IMDB has a review, AAN two ids of
// papers and the papers' texts. Quotes are plain characters, and there is no header.
//
// No LibTorch here, so that a fuzzer can link it.
#pragma once

#include "data/formats/text_fields.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longconv::data {

/// The first field of a line is the label, the last `texts` are the texts.
struct TextTableLayout {
  std::size_t columns = 0;
  std::size_t texts = 0;
  /// Of label, two ids and two texts: refuse what makes the ids no ids, a pair that was there
  /// before and an id that stood for another text.
  bool unique_pairs = false;
};
inline constexpr TextTableLayout kImdbTable{2, 1};
inline constexpr TextTableLayout kAanTable{5, 2, true};
inline constexpr TextTableLayout kAanTableWithDuplicates{5, 2};

/// One or two texts, views into what is read, and their label.
struct LabelledTexts {
  int label = 0;  ///< 0 or 1; AAN's files have "0.0" and "1.0"
  std::vector<std::string_view> texts{};
};

class TextTable {
 public:
  /// `text` must outlive this.
  TextTable(std::string_view text, const std::string& path, TextTableLayout layout);
  /// The next line; false at the end. Throws DataError with path and line: other columns than the
  /// layout's, a label that is neither 0 nor 1, an empty text, bytes that are not UTF-8, ids that
  /// are none; and with the path for a table without lines.
  bool next(LabelledTexts& row);

 private:
  void check_ids(const std::vector<std::string_view>& fields, const std::string& where);

  struct Seen {
    std::string where;
    std::uint64_t text = 0;  // hash
  };
  TextLines lines_;
  std::string path_;
  TextTableLayout layout_;
  bool any_ = false;
  std::map<std::string, Seen, std::less<>> documents_;
  std::map<std::pair<std::string, std::string>, std::string> pairs_;
};

}  // namespace longconv::data
