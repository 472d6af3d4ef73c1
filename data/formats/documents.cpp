#include "data/formats/documents.h"

#include "core/base/check.h"
#include "data/formats/utf8.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Keeps the top-level "text" and nothing else, so that a document is never copied into a tree.
class TextHandler final : public json::json_sax_t {
 public:
  explicit TextHandler(const std::string& where) : where_(where) {}

  bool null() override { return other("null"); }
  bool boolean(bool /*value*/) override { return other("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { return other("a number"); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return other("a number"); }
  bool number_float(number_float_t /*value*/, const string_t& /*raw*/) override {
    return other("a number");
  }
  bool string(string_t& value) override {
    LONGCONV_CHECK(depth_ > 0, DataError, "{}: expected a JSON object, got a string", where_);
    if (wanted_) {
      text_ = std::move(value);
      wanted_ = false;
    }
    return true;
  }
  bool binary(binary_t& /*value*/) override { return other("binary data"); }
  bool start_object(std::size_t /*size*/) override {
    if (depth_ > 0) other("an object");
    ++depth_;
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ != 1 || name != "text") return true;
    LONGCONV_CHECK(!found_, DataError, "{}: the key \"text\" stands there twice", where_);
    found_ = wanted_ = true;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    other("an array");
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const json::exception& error) override {
    // nlohmann's words without its number: "[json.exception.parse_error.101] parse error at ..."
    std::string_view words = error.what();
    if (const auto bracket = words.find("] "); bracket != words.npos) {
      words.remove_prefix(bracket + 2);
    }
    throw DataError(
        fmt::format("{}: bad JSON at byte {} of the line: {}", where_, position, words));
  }

  std::string take() {
    LONGCONV_CHECK(found_, DataError, "{}: the object has no key \"text\"", where_);
    return std::move(text_);
  }

 private:
  bool other(std::string_view what) {
    LONGCONV_CHECK(depth_ > 0, DataError, "{}: expected a JSON object, got {}", where_, what);
    LONGCONV_CHECK(!wanted_, DataError, "{}: \"text\" must be a string, got {}", where_, what);
    return true;
  }

  const std::string& where_;
  std::string text_;
  int depth_ = 0;
  bool found_ = false;
  bool wanted_ = false;
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

std::optional<DocumentFormat> document_format(const fs::path& path) {
  constexpr std::pair<std::string_view, DocumentFormat> kEndings[] = {
      {".txt", DocumentFormat::text},           {".raw", DocumentFormat::text},
      {".jsonl", DocumentFormat::jsonl},        {".txt.zst", DocumentFormat::text_zst},
      {".raw.zst", DocumentFormat::text_zst},   {".jsonl.zst", DocumentFormat::jsonl_zst},
      {".json.zst", DocumentFormat::jsonl_zst}, {".txt.gz", DocumentFormat::text_gz},
      {".raw.gz", DocumentFormat::text_gz},     {".jsonl.gz", DocumentFormat::jsonl_gz},
      {".json.gz", DocumentFormat::jsonl_gz}};
  const std::string name = path.filename().string();
  for (const auto& [ending, format] : kEndings) {
    if (name.ends_with(ending)) return format;
  }
  return std::nullopt;
}

bool is_jsonl(DocumentFormat format) {
  return format == DocumentFormat::jsonl || format == DocumentFormat::jsonl_zst ||
         format == DocumentFormat::jsonl_gz;
}

std::unique_ptr<ByteSource> unpacked_bytes(std::unique_ptr<ByteSource> source,
                                           DocumentFormat format) {
  switch (format) {
    case DocumentFormat::text_zst:
    case DocumentFormat::jsonl_zst:
      return zstd_bytes(std::move(source));
    case DocumentFormat::text_gz:
    case DocumentFormat::jsonl_gz:
      return gzip_bytes(std::move(source));
    case DocumentFormat::text:
    case DocumentFormat::jsonl:
      break;
  }
  return source;
}

std::string parse_document(std::string_view line, const std::string& where) {
  const std::size_t bad = utf8_error(line);
  LONGCONV_CHECK(bad == std::string_view::npos, DataError, "{}: byte {} of the line is not UTF-8",
                 where, bad);
  TextHandler handler(where);
  json::sax_parse(line.begin(), line.end(), &handler);
  return handler.take();
}

DocumentReader::DocumentReader(const fs::path& path, DocumentFormat format)
    : DocumentReader(file_bytes(path), format) {}

DocumentReader::DocumentReader(std::unique_ptr<ByteSource> source, DocumentFormat format)
    : name_(source->name()) {
  source = unpacked_bytes(std::move(source), format);
  if (is_jsonl(format)) {
    lines_ = std::make_unique<LineReader>(std::move(source));
  } else {
    whole_ = std::move(source);
  }
}

bool DocumentReader::next(std::string& text) {
  return lines_ == nullptr ? next_text(text) : next_line(text);
}

bool DocumentReader::next_text(std::string& text) {
  if (whole_ == nullptr) return false;
  text.clear();
  constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  while (true) {
    const std::size_t before = text.size();
    text.resize(before + kChunkBytes);
    const std::size_t got = whole_->read(std::as_writable_bytes(std::span(text)).subspan(before));
    text.resize(before + got);
    if (got == 0) break;
  }
  const std::size_t bad = utf8_error(text);
  if (bad != std::string::npos) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(bad), '\n');
    throw DataError(
        fmt::format("{}:{}: byte {} of the file (0x{:02x}) is not UTF-8; convert the text "
                    "first, e.g. with iconv",
                    name_, line, bad, static_cast<unsigned char>(text[bad])));
  }
  whole_.reset();
  return true;
}

bool DocumentReader::next_line(std::string& text) {
  std::string_view line;
  while (lines_->next(line)) {
    if (lines_->number() == 1 && line.starts_with(kByteOrderMark)) {
      line.remove_prefix(kByteOrderMark.size());
    }
    if (is_blank(line)) continue;
    text = parse_document(line, where());
    return true;
  }
  return false;
}

std::string DocumentReader::where() const {
  return lines_ == nullptr ? name_ : fmt::format("{}:{}", name_, lines_->number());
}

std::vector<fs::path> list_documents(const fs::path& path, std::vector<fs::path>& ignored) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  LONGCONV_CHECK(fs::exists(status), DataError, "{}: no such file or folder", path.string());
  if (!fs::is_directory(status)) {
    LONGCONV_CHECK(document_format(path).has_value(), DataError, "{}: expected a name ending in {}",
                   path.string(), kDocumentEndings);
    return {path};
  }
  std::vector<fs::path> found;
  fs::recursive_directory_iterator walk(path, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (!walk->is_regular_file(error)) continue;
    (document_format(walk->path()) ? found : ignored).push_back(walk->path());
  }
  LONGCONV_CHECK(!error, DataError, "{}: the folder cannot be read: {}", path.string(),
                 error.message());
  LONGCONV_CHECK(!found.empty(), DataError, "{}: no file in this folder ends in {}", path.string(),
                 kDocumentEndings);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace longconv::data
