// Text documents as people have them: .txt and WikiText's .raw (one file, one document), .jsonl
// (one JSON object a line with its text under "text", as the Pile comes; data.md 4.1), and all of
// these under .zst or .gz, where C4 says .json for .jsonl (data.md 6.1).
#pragma once

#include "data/formats/byte_source.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

enum class DocumentFormat { text, text_zst, text_gz, jsonl, jsonl_zst, jsonl_gz };

inline constexpr char kDocumentEndings[] =
    ".txt, .raw or .jsonl, or one of these (or .json) and .zst or .gz";

/// From the end of the name; nothing for names without a known ending.
std::optional<DocumentFormat> document_format(const std::filesystem::path& path);
/// Whether it is one document a line.
bool is_jsonl(DocumentFormat format);
/// `source` as it is, or decompressed.
std::unique_ptr<ByteSource> unpacked_bytes(std::unique_ptr<ByteSource> source,
                                           DocumentFormat format);

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// One line of JSONL: the value of "text", unescaped. Other keys are skipped, whatever they hold.
/// Throws DataError beginning with `where` ("file:line"): no JSON object, no text or two of them,
/// text that is no string, bytes that are not UTF-8 (with their offset in the line).
std::string parse_document(std::string_view line, const std::string& where);

/// The documents of one file, in order.
class DocumentReader {
 public:
  /// Throws DataError if the file cannot be opened.
  DocumentReader(const std::filesystem::path& path, DocumentFormat format);
  /// The same from any source of bytes.
  DocumentReader(std::unique_ptr<ByteSource> source, DocumentFormat format);

  /// False at the end. The text is well-formed UTF-8, byte for byte as it came; blank lines of
  /// JSONL are skipped, and a byte order mark before the first. Throws DataError with file and line
  /// or offset.
  bool next(std::string& text);
  /// "file" or "file:line" of the document that next() gave.
  [[nodiscard]] std::string where() const;

 private:
  bool next_text(std::string& text);
  bool next_line(std::string& text);
  std::string name_;
  std::unique_ptr<ByteSource> whole_;  // text, until it is read
  std::unique_ptr<LineReader> lines_;  // jsonl
};

/// `path` itself, or all document files below it if it is a folder, sorted by path; what has no
/// known ending is appended to `ignored`. Throws DataError for a missing path, an unknown ending or
/// a folder without any document file.
std::vector<std::filesystem::path> list_documents(const std::filesystem::path& path,
                                                  std::vector<std::filesystem::path>& ignored);

}  // namespace longconv::data
