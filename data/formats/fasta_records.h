// FASTA read whole and in order, for files of many short sequences: those of labelled sets.
#pragma once

#include "data/formats/byte_source.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace longconv::data {

/// One sequence, valid until the next.
struct FastaRecord {
  std::string_view header;  ///< the whole line behind ">"
  std::string_view bases;   ///< all lines, joined
};

/// The records of a source, one after another: only one is in memory.
class FastaReader {
 public:
  explicit FastaReader(std::unique_ptr<ByteSource> source);
  /// False at the end; the record is valid until the next call. Throws DataError as
  /// for_each_fasta_record() does.
  bool next(FastaRecord& record);
  /// "name:line" of the header of the record that next() gave.
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  LineReader lines_;
  std::string header_;
  std::string bases_;
  std::string where_;
  std::string next_header_;
  std::string next_where_;  // empty before the first header, and at the end
  bool begun_ = false;
};

/// handle(record, where) for each; `where` is "path:line" of the header. Lines may be of any
/// length. Throws DataError with it: text before the first header, a sequence without bases, a byte
/// that is no visible ASCII.
void for_each_fasta_record(
    std::string_view text, const std::string& path,
    const std::function<void(const FastaRecord&, const std::string&)>& handle);

}  // namespace longconv::data
