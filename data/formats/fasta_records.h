// FASTA read whole and in order, for files of many short sequences: those of labelled sets.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace longconv::data {

/// One sequence, valid until the next.
struct FastaRecord {
  std::string_view header;  ///< the whole line behind ">"
  std::string_view bases;   ///< all lines, joined
};

/// handle(record, where) for each; `where` is "path:line" of the header. Lines may be of any
/// length. Throws DataError with it: text before the first header, a sequence without bases, a byte
/// that is no visible ASCII.
void for_each_fasta_record(
    std::string_view text, const std::string& path,
    const std::function<void(const FastaRecord&, const std::string&)>& handle);

}  // namespace longconv::data
