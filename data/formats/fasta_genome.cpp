#include "data/formats/fasta_genome.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/formats/beside.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace longconv::data {

namespace {

constexpr std::int64_t kChunk = std::int64_t{1} << 22;

std::vector<FastaEntry> index_text(const TextStore& text, const std::string& path) {
  FastaIndexer indexer(path);
  if (text.data() != nullptr) {
    indexer.add({text.data(), static_cast<std::size_t>(text.size())});
    return indexer.finish();
  }
  std::vector<char> chunk;
  for (std::int64_t at = 0; at < text.size(); at += kChunk) {
    chunk.resize(static_cast<std::size_t>(std::min(kChunk, text.size() - at)));
    text.read(at, chunk);
    indexer.add({chunk.data(), chunk.size()});
  }
  return indexer.finish();
}

/// Bytes [begin, end) of the text, cut at its ends.
std::string slice(const TextStore& text, std::int64_t begin, std::int64_t end) {
  begin = std::clamp<std::int64_t>(begin, 0, text.size());
  std::string out(static_cast<std::size_t>(std::clamp(end, begin, text.size()) - begin), '\0');
  text.read(begin, out);
  return out;
}

/// What is wrong with an entry; empty if nothing is.
std::string fault_of(const FastaEntry& entry, const TextStore& text) {
  // The header's line, of which the name may lie far before its end.
  std::int64_t reach = static_cast<std::int64_t>(entry.name.size()) + 64;
  std::string header;
  while (true) {
    header = slice(text, entry.offset - reach, entry.offset);
    if (!header.ends_with('\n')) return "no line ends before its first base";
    header.pop_back();
    const std::size_t line = header.rfind('\n');
    if (line != std::string::npos || reach >= entry.offset) {
      if (line != std::string::npos) header.erase(0, line + 1);
      break;
    }
    reach *= 4;
  }
  if (header.starts_with("\xEF\xBB\xBF")) header.erase(0, 3);
  if (!header.starts_with('>') || fasta_name(std::string_view(header).substr(1)) != entry.name) {
    return fmt::format("the line before it is \"{:.60}\"", header);
  }
  if (entry.length > entry.line_bases) {
    const std::int64_t end = entry.offset + entry.line_bases;
    const std::string ending = slice(text, end - 1, entry.offset + entry.line_bytes);
    const bool fine = ending.size() >= 2 && ending[0] > ' ' && ending.back() == '\n' &&
                      (ending.size() == 2 || ending[1] == '\r');
    if (!fine) return fmt::format("its first line does not end at byte {}", end);
  }
  const std::string behind =
      slice(text, entry.offset_of(entry.length - 1), entry.offset_of(entry.length - 1) + 64);
  if (behind.empty() || behind.front() <= ' ') return "its last base is none";
  const std::size_t next = behind.find_first_not_of("\r\n", 1);
  const bool ends = behind.size() == 1 || behind[1] == '\n' || behind[1] == '\r';
  if (!ends || (next != std::string::npos && behind[next] != '>')) {
    return "other bases follow its last";
  }
  return {};
}

}  // namespace

void check_fasta_index(const std::vector<FastaEntry>& entries, const TextStore& text,
                       const std::string& path) {
  for (const FastaEntry& entry : entries) {
    const std::string fault = fault_of(entry, text);
    LONGCONV_CHECK(
        fault.empty(), DataError,
        "{}: {} at byte {}: {}; the index does not belong to the file: delete it, and it "
        "is made again",
        path, entry.name, entry.offset, fault);
  }
}

FastaGenome::FastaGenome(const std::filesystem::path& path, std::unique_ptr<TextStore> text,
                         bool kept)
    : Genome(path.string()), text_(std::move(text)) {
  const std::filesystem::path index = beside(path, ".fai");
  if (!kept) {
    entries_ = index_text(*text_, path.string());
  } else if (std::error_code error; std::filesystem::exists(index, error)) {
    entries_ = parse_fai(files::read_text(index), index.string(), text_->size());
    check_fasta_index(entries_, *text_, index.string());
  } else {
    entries_ = index_text(*text_, path.string());
    keep_beside(index, fai_text(entries_));
  }
  std::vector<Sequence> sequences;
  sequences.reserve(entries_.size());
  for (const FastaEntry& each : entries_) sequences.push_back({each.name, each.length});
  set_sequences(std::move(sequences));
}

void FastaGenome::read_checked(std::int64_t sequence, std::int64_t begin,
                               std::span<char> out) const {
  const FastaEntry& entry = entries_[static_cast<std::size_t>(sequence)];
  const std::int64_t first = entry.offset_of(begin);
  const char* from = text_->data();
  thread_local std::vector<char> raw;
  if (from != nullptr) {
    from += first;
  } else {
    const std::int64_t last = entry.offset_of(begin + static_cast<std::int64_t>(out.size()) - 1);
    raw.resize(static_cast<std::size_t>(last - first + 1));
    text_->read(first, raw);
    from = raw.data();
  }
  const auto gap = static_cast<std::size_t>(entry.line_bytes - entry.line_bases);
  auto here = static_cast<std::size_t>(entry.line_bases - begin % entry.line_bases);
  for (std::span<char> rest = out; !rest.empty();) {
    here = std::min(here, rest.size());
    std::memcpy(rest.data(), from, here);
    rest = rest.subspan(here);
    from += here + gap;
    here = static_cast<std::size_t>(entry.line_bases);
  }
  // A line end among the bases: only borders of sequences were checked when the index was read.
  bool fine = true;
  for (const char base : out) fine &= base > ' ';
  LONGCONV_CHECK(fine, DataError,
                 "{}: bases [{}, {}) of {}: a line ends where the index has a base; the file was "
                 "changed after it was indexed: delete the .fai, and it is made again",
                 path(), begin, begin + static_cast<std::int64_t>(out.size()), entry.name);
}

}  // namespace longconv::data
