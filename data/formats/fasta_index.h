// .fai, samtools' index of a FASTA file: a line a sequence, between tabs its name, length, the
// offset of its first base, bases of a line and bytes of a line. Base i lies at
//
//   offset + i / line_bases * line_bytes + i % line_bases
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace longconv::data {

struct FastaEntry {
  std::string name;         ///< fasta_name() of the header
  std::int64_t length = 0;  ///< bases, at least 1
  std::int64_t offset = 0;  ///< of the first base in the file (bgzip: in the text)
  std::int64_t line_bases = 0;
  std::int64_t line_bytes = 0;  ///< line_bases and the line's end
  [[nodiscard]] std::int64_t offset_of(std::int64_t base) const {
    return offset + base / line_bases * line_bytes + base % line_bases;
  }
  bool operator==(const FastaEntry&) const = default;
};

/// The name in a header's line behind ">": its first word, as samtools reads it.
std::string_view fasta_name(std::string_view header);

/// Throws DataError with `path` and line: fields that are no numbers or contradict one another, a
/// name that is there twice, no entry at all. `text_bytes` is the size of the text it indexes, into
/// which every sequence must fit.
std::vector<FastaEntry> parse_fai(std::string_view fai, const std::string& path,
                                  std::int64_t text_bytes);
std::string fai_text(const std::vector<FastaEntry>& entries);

/// Indexes FASTA that comes in pieces. Lines of a sequence are equally long but for the last; '\r'
/// before '\n' belongs to the line's end; blank lines may stand behind a sequence; a byte order
/// mark may begin the file. All else is a DataError with `path` and line.
class FastaIndexer {
 public:
  explicit FastaIndexer(std::string path) : path_(std::move(path)) {}
  void add(std::string_view piece);
  [[nodiscard]] std::vector<FastaEntry> finish();

 private:
  void end_line(bool newline);
  void begin_sequence();
  void end_sequence();
  void sequence_line(std::int64_t bases, std::int64_t bytes, bool newline);
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::vector<FastaEntry> entries_;
  std::unordered_set<std::string> names_;
  std::int64_t offset_ = 0;  // of the next byte
  std::int64_t line_ = 1;
  std::int64_t line_bytes_ = 0;  // of this line so far
  bool in_header_ = false;
  std::string header_;
  char last_ = 0;       // byte of this line
  bool ended_ = false;  // a shorter or a blank line: no line of this sequence may follow
};

}  // namespace longconv::data
