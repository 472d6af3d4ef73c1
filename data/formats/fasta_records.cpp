#include "data/formats/fasta_records.h"

#include "core/base/check.h"
#include "data/formats/documents.h"
#include "data/formats/utf8.h"

#include <algorithm>
#include <utility>

namespace longconv::data {

FastaReader::FastaReader(std::unique_ptr<ByteSource> source) : lines_(std::move(source)) {}

bool FastaReader::next(FastaRecord& record) {
  header_ = std::exchange(next_header_, {});
  where_ = std::exchange(next_where_, {});
  bases_.clear();
  for (std::string_view line; lines_.next(line);) {
    const auto here = [&] { return fmt::format("{}:{}", lines_.name(), lines_.number()); };
    if (lines_.number() == 1 && line.starts_with(kByteOrderMark)) {
      line.remove_prefix(kByteOrderMark.size());
    }
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('>')) {
      LONGCONV_CHECK(utf8_error(line) == std::string_view::npos, DataError,
                     "{}: a header that is not UTF-8", here());
      next_header_ = line.substr(1);
      next_where_ = here();
      if (std::exchange(begun_, true)) break;
      header_ = std::exchange(next_header_, {});
      where_ = std::exchange(next_where_, {});
      continue;
    }
    LONGCONV_CHECK(begun_ || line.empty(), DataError,
                   "{}: expected a header, which begins with \">\": no FASTA file?", here());
    const bool fine = std::all_of(line.begin(), line.end(),
                                  [](char byte) { return byte > ' ' && byte < '\x7f'; });
    LONGCONV_CHECK(fine, DataError, "{}: a byte that is no letter of a sequence", here());
    bases_ += line;
  }
  LONGCONV_CHECK(begun_, DataError, "{}: no sequence in it", lines_.name());
  if (where_.empty()) return false;
  LONGCONV_CHECK(!bases_.empty(), DataError, "{}: \"{:.80}\" has no bases", where_, header_);
  record = {header_, bases_};
  return true;
}

void for_each_fasta_record(
    std::string_view text, const std::string& path,
    const std::function<void(const FastaRecord&, const std::string&)>& handle) {
  FastaReader reader(memory_bytes(std::as_bytes(std::span(text)), path));
  for (FastaRecord record; reader.next(record);) handle(record, reader.where());
}

}  // namespace longconv::data
