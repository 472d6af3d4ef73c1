#include "data/formats/fasta_records.h"

#include "core/base/check.h"
#include "data/formats/text_fields.h"

#include <algorithm>

namespace longconv::data {

void for_each_fasta_record(
    std::string_view text, const std::string& path,
    const std::function<void(const FastaRecord&, const std::string&)>& handle) {
  std::string header;
  std::string bases;
  std::string begun;  // where the record began; empty before the first
  const auto finish = [&] {
    if (begun.empty()) return;
    LONGCONV_CHECK(!bases.empty(), DataError, "{}: \"{:.80}\" has no bases", begun, header);
    handle({header, bases}, begun);
  };
  TextLines lines(text, path);
  for (std::string_view line; lines.next(line);) {
    if (line.starts_with('>')) {
      finish();
      header = line.substr(1);
      begun = lines.where();
      bases.clear();
      continue;
    }
    LONGCONV_CHECK(!begun.empty() || line.empty(), DataError,
                   "{}: expected a header, which begins with \">\": no FASTA file?", lines.where());
    const bool fine = std::all_of(line.begin(), line.end(),
                                  [](char byte) { return byte > ' ' && byte < '\x7f'; });
    LONGCONV_CHECK(fine, DataError, "{}: a byte that is no letter of a sequence", lines.where());
    bases += line;
  }
  finish();
  LONGCONV_CHECK(!begun.empty(), DataError, "{}: no sequence in it", path);
}

}  // namespace longconv::data
