#include "data/formats/fasta_index.h"

#include "core/base/check.h"
#include "data/formats/text_fields.h"
#include "data/formats/utf8.h"

#include <algorithm>

namespace longconv::data {

namespace {

constexpr std::size_t kMaxHeader = std::size_t{1} << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// True if some byte is no visible ASCII. Without a branch, so that the compiler vectorises it.
bool has_foreign_bytes(std::string_view bytes) {
  unsigned char found = 0;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    found |= static_cast<unsigned char>(static_cast<unsigned char>(value - 0x21) > 0x7e - 0x21);
  }
  return found != 0;
}

/// True if a name comes back from the .fai that it is written to.
bool can_be_listed(std::string_view name) {
  const bool visible = std::none_of(name.begin(), name.end(), [](char byte) {
    return static_cast<unsigned char>(byte) < 0x20 || byte == '\x7f';
  });
  return visible && !name.starts_with(kByteOrderMark) && utf8_error(name) == std::string_view::npos;
}

}  // namespace

std::string_view fasta_name(std::string_view header) {
  header.remove_prefix(std::min(header.find_first_not_of(" \t"), header.size()));
  return header.substr(0, header.find_first_of(" \t\r"));
}

std::vector<FastaEntry> parse_fai(std::string_view fai, const std::string& path,
                                  std::int64_t text_bytes) {
  std::vector<FastaEntry> entries;
  std::unordered_set<std::string_view> names;
  for_each_text_line(fai, path, [&](std::string_view line, const std::string& where) {
    const auto fields = split_fields(line, '\t');
    LONGCONV_CHECK(fields.size() == 5, DataError, "{}: {} fields between tabs, a .fai has 5", where,
                   fields.size());
    FastaEntry entry;
    entry.name = fields[0];
    entry.length = whole_number(fields[1], where);
    entry.offset = whole_number(fields[2], where);
    entry.line_bases = whole_number(fields[3], where);
    entry.line_bytes = whole_number(fields[4], where);
    LONGCONV_CHECK(!entry.name.empty() && names.insert(fields[0]).second, DataError,
                   "{}: sequence \"{:.80}\" is there twice, or has no name", where, entry.name);
    LONGCONV_CHECK(entry.length >= 1 && entry.line_bases >= 1 &&
                       entry.line_bytes >= entry.line_bases &&
                       entry.line_bytes - entry.line_bases <= 2,
                   DataError, "{}: {} bases in lines of {} bases and {} bytes cannot be", where,
                   entry.length, entry.line_bases, entry.line_bytes);
    // offset_of() cannot overflow: there are at most 3 bytes to a base.
    LONGCONV_CHECK(entry.length <= text_bytes && entry.offset < text_bytes &&
                       entry.offset_of(entry.length - 1) < text_bytes,
                   DataError,
                   "{}: {} of {} bases at byte {} does not fit into {} bytes: the index does not "
                   "belong to the file",
                   where, entry.name, entry.length, entry.offset, text_bytes);
    entries.push_back(std::move(entry));
  });
  LONGCONV_CHECK(!entries.empty(), DataError, "{}: empty, expected a line a sequence", path);
  return entries;
}

std::string fai_text(const std::vector<FastaEntry>& entries) {
  std::string out;
  for (const FastaEntry& each : entries) {
    out += fmt::format("{}\t{}\t{}\t{}\t{}\n", each.name, each.length, each.offset, each.line_bases,
                       each.line_bytes);
  }
  return out;
}

void FastaIndexer::fail(const std::string& what) const {
  throw DataError(fmt::format("{}:{}: {}", path_, line_, what));
}

void FastaIndexer::add(std::string_view piece) {
  if (offset_ == 0 && piece.starts_with(kByteOrderMark)) {
    piece.remove_prefix(kByteOrderMark.size());
    offset_ += static_cast<std::int64_t>(kByteOrderMark.size());
  }
  while (!piece.empty()) {
    const std::size_t end = std::min(piece.find('\n'), piece.size());
    const std::string_view part = piece.substr(0, end);
    if (!part.empty()) {
      if (line_bytes_ == 0) in_header_ = part.front() == '>';
      if (in_header_) {
        if (header_.size() + part.size() > kMaxHeader) fail("a header of more than 1 MiB");
        header_ += part;
      } else {
        // A '\r' may be the last byte of the line, which the next piece tells.
        const std::string_view inner = part.substr(0, part.size() - 1);
        if (last_ == '\r' || has_foreign_bytes(inner) ||
            (part.back() != '\r' && has_foreign_bytes(part.substr(part.size() - 1)))) {
          fail("a byte that is no letter of a sequence");
        }
        last_ = part.back();
      }
      line_bytes_ += static_cast<std::int64_t>(part.size());
    }
    offset_ += static_cast<std::int64_t>(part.size());
    piece.remove_prefix(part.size());
    if (!piece.empty()) {  // the '\n'
      ++offset_;
      piece.remove_prefix(1);
      end_line(true);
    }
  }
}

void FastaIndexer::end_line(bool newline) {
  if (in_header_) {
    if (header_.ends_with('\r')) header_.pop_back();
    begin_sequence();
  } else {
    const std::int64_t bases = line_bytes_ - (last_ == '\r' ? 1 : 0);
    sequence_line(bases, line_bytes_ + (newline ? 1 : 0), newline);
  }
  ++line_;
  line_bytes_ = 0;
  last_ = 0;
  in_header_ = false;
  header_.clear();
}

void FastaIndexer::begin_sequence() {
  end_sequence();
  FastaEntry entry;
  entry.name = fasta_name(std::string_view(header_).substr(1));
  entry.offset = offset_;
  if (entry.name.empty()) fail("a header without a name");
  if (!can_be_listed(entry.name)) {
    fail("a name that is not UTF-8, or has a control character or a byte order mark in it");
  }
  if (!names_.insert(entry.name).second) {
    fail(fmt::format("sequence {:.80} a second time", entry.name));
  }
  entries_.push_back(std::move(entry));
  ended_ = false;
}

void FastaIndexer::end_sequence() {
  if (!entries_.empty() && entries_.back().length == 0) {
    fail(fmt::format("sequence {:.80}, which ends here, has no bases", entries_.back().name));
  }
}

void FastaIndexer::sequence_line(std::int64_t bases, std::int64_t bytes, bool newline) {
  if (bases == 0) {
    ended_ = ended_ || !entries_.empty();
    return;
  }
  if (entries_.empty()) fail("expected a header, which begins with \">\": no FASTA file?");
  FastaEntry& entry = entries_.back();
  if (ended_) {
    fail(
        fmt::format("{} bases behind a shorter or blank line of {:.80}: the lines of a sequence "
                    "are equally long but for the last",
                    bases, entry.name));
  }
  entry.length += bases;
  if (entry.line_bases == 0) {
    entry.line_bases = bases;
    entry.line_bytes = newline ? bytes : bases + 1;
    return;
  }
  if (bases > entry.line_bases) {
    fail(
        fmt::format("{} bases, the lines before have {}: the lines of a sequence are equally long "
                    "but for the last",
                    bases, entry.line_bases));
  }
  if (bases == entry.line_bases && newline && bytes != entry.line_bytes) {
    fail("ends otherwise than the lines before: \"\\r\\n\" and \"\\n\" in one sequence");
  }
  ended_ = bases < entry.line_bases;
}

std::vector<FastaEntry> FastaIndexer::finish() {
  if (line_bytes_ > 0) end_line(false);
  LONGCONV_CHECK(!entries_.empty(), DataError, "{}: no sequence in it", path_);
  end_sequence();
  return std::move(entries_);
}

}  // namespace longconv::data
