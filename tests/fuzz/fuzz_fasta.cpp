// Any bytes either are FASTA, whose index then is right and survives its own file, or are a
// DataError; in one piece or in several. And any .fai for a text: accepted or a DataError.
#include "core/base/error.h"
#include "data/formats/fasta_index.h"
#include "data/formats/fasta_records.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>
#include <string>

using longconv::data::FastaEntry;
using longconv::fuzz::promise;

namespace {

std::vector<FastaEntry> index(std::string_view text, std::size_t piece) {
  longconv::data::FastaIndexer indexer("input");
  for (std::size_t at = 0; at < text.size(); at += piece) indexer.add(text.substr(at, piece));
  return indexer.finish();
}

void check_index(std::string_view text, const std::vector<FastaEntry>& entries) {
  std::size_t next = 0;
  longconv::data::for_each_fasta_record(
      text, "input", [&](const longconv::data::FastaRecord& record, const std::string&) {
        promise(next < entries.size(), "there is an entry a record");
        const FastaEntry& entry = entries[next++];
        promise(entry.name == longconv::data::fasta_name(record.header), "names agree");
        promise(entry.length == static_cast<std::int64_t>(record.bases.size()), "lengths agree");
        for (std::int64_t base = 0; base < entry.length; ++base) {
          const auto at = static_cast<std::size_t>(entry.offset_of(base));
          promise(at < text.size() && text[at] == record.bases[static_cast<std::size_t>(base)],
                  "the index finds every base");
        }
      });
  promise(next == entries.size(), "there is a record an entry");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto entries = index(text, text.size() + 1);
    promise(entries == index(text, 3), "pieces do not matter");
    check_index(text, entries);
    promise(entries == longconv::data::parse_fai(longconv::data::fai_text(entries), "input",
                                                 static_cast<std::int64_t>(size)),
            "an index can be read back");
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input", 5) == 0, "an error names the file");
  }
  try {
    for (const FastaEntry& entry : longconv::data::parse_fai(text, "input", 1'000'000)) {
      promise(entry.length >= 1 && entry.offset_of(entry.length - 1) < 1'000'000,
              "every base lies in the text");
    }
  } catch (const longconv::DataError& error) {
    promise(std::strncmp(error.what(), "input", 5) == 0, "an error names the file");
  }
  return 0;
}
