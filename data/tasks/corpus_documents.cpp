#include "data/tasks/corpus_documents.h"

#include "core/base/check.h"
#include "core/files/hash.h"
#include "data/formats/utf8.h"
#include "data/loader/mix.h"

#include <algorithm>
#include <cstring>

namespace longconv::data {

namespace {

constexpr std::size_t kShownBytes = 100;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
}

/// The first `count` characters of well-formed UTF-8; all of it for 0.
std::string_view first_chars(std::string_view text, std::int64_t count) {
  if (count <= 0 || text.size() <= static_cast<std::size_t>(count)) return text;
  std::size_t at = 0;
  for (std::int64_t i = 0; i < count && at < text.size(); ++i) {
    at += utf8_length(text.substr(at, 4));
  }
  return text.substr(0, at);
}

Split split_of(std::string_view key, const CorpusSource& source, const DocumentRules& rules) {
  if (source.cut == 0) return Split::validation;
  if (rules.validation_share <= 0.0) return Split::train;
  const std::uint64_t hash = files::crc32c(std::as_bytes(std::span(key)));
  const std::uint64_t word = mix(mix(rules.split_seed) ^ (hash | key.size() << 32));
  return static_cast<double>(word >> 11) * 0x1p-53 < rules.validation_share ? Split::validation
                                                                            : Split::train;
}

BadLine bad_line(std::int64_t number, std::string_view line, std::string why) {
  return {number, static_cast<std::int64_t>(line.size()), std::move(why),
          std::string(line.substr(0, kShownBytes))};
}

void read_text(const DocumentBlock& block, const CorpusSource& source, const DocumentRules& rules,
               DocumentSink& sink) {
  const std::string_view text = block.bytes();
  const std::size_t bad = utf8_error(text);
  if (bad != std::string_view::npos) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(bad);
    throw DataError(fmt::format(
        "{}:{}: byte {} of the file (0x{:02x}) is not UTF-8; convert the text first, e.g. with "
        "iconv",
        source.path.string(), block.first_line + std::count(text.begin(), end, '\n'),
        block.offset + static_cast<std::int64_t>(bad), static_cast<unsigned char>(text[bad])));
  }
  DocumentPiece piece{first_chars(text, rules.document_chars), Split::train, block.begins,
                      block.ends};
  piece.split = block.offset >= source.cut  ? Split::validation
                : source.cut < source.bytes ? Split::train
                                            : split_of(source.name, source, rules);
  sink.piece(piece);
}

/// One line of a source as a document; its text in `text`. Throws DataError for a bad one.
bool line_text(std::string_view line, std::int64_t number, const CorpusSource& source,
               DocumentParser& parser, std::string& scratch, std::string_view& text) {
  if (number == 1 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  if (is_blank(line)) return false;
  if (is_jsonl(source.format)) {
    text = parser.parse(line, source.name, number);
    return !text.empty();
  }
  const std::size_t bad = utf8_error(line);
  LONGCONV_CHECK(bad == std::string_view::npos, DataError,
                 "{}:{}: byte {} of the line is not UTF-8", source.name, number, bad);
  if (line.ends_with('\r')) line.remove_suffix(1);
  scratch = line;
  scratch += '\n';
  text = scratch;
  return true;
}

}  // namespace

BlockOptions block_options(const CorpusSource& source, const DocumentRules& rules,
                           bool whole_texts) {
  BlockOptions options;
  if (!is_jsonl(source.format) && !rules.lines) options.content = BlockOptions::Content::text;
  // Characters are counted from the beginning of a document.
  options.cut_text = !whole_texts && rules.document_chars == 0;
  if (source.cut > 0 && source.cut < source.bytes) options.second_at = source.cut;
  return options;
}

void read_documents(const DocumentBlock& block, const CorpusSource& source,
                    const DocumentRules& rules, DocumentParser& parser, DocumentSink& sink) {
  if (!is_jsonl(source.format) && !rules.lines) {
    read_text(block, source, rules, sink);
    return;
  }
  for (const LongLine& line : block.too_long) {
    sink.bad({line.number, line.bytes, "the line is longer than the limit", line.begins});
  }
  std::string scratch;
  std::int64_t number = block.first_line;
  for (std::string_view rest = block.bytes(); !rest.empty(); ++number) {
    const std::size_t stop = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, stop);
    rest.remove_prefix(std::min(stop + 1, rest.size()));
    try {
      std::string_view text;
      if (!line_text(line, number, source, parser, scratch, text)) {
        sink.empty();
        continue;
      }
      const Split split = split_of(text, source, rules);
      sink.piece({first_chars(text, rules.document_chars), split, true, true});
    } catch (const DataError& error) {
      std::string why = error.what();
      const std::string where = fmt::format("{}:{}: ", source.name, number);
      if (why.starts_with(where)) why.erase(0, where.size());
      sink.bad(bad_line(number, line, std::move(why)));
    }
  }
}

}  // namespace longconv::data
