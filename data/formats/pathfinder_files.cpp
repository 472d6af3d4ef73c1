#include "data/formats/pathfinder_files.h"

#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "data/formats/text_fields.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNumpy = "\x93NUMPY";
constexpr std::size_t kFieldsUsed = 4;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

PathfinderEntry entry_of(const std::vector<std::string_view>& fields, const std::string& where) {
  LONGCONV_CHECK(fields.size() >= kFieldsUsed, DataError,
                 "{}: {} fields, expected folder, file, number, label and more", where,
                 fields.size());
  const std::string file = std::string(fields[0]) + "/" + std::string(fields[1]);
  const fs::path relative(file);
  const bool inside = !fields[0].empty() && !fields[1].empty() && relative.is_relative() &&
                      std::none_of(relative.begin(), relative.end(),
                                   [](const fs::path& part) { return part == ".."; });
  LONGCONV_CHECK(inside && file.find('\0') == std::string::npos, DataError,
                 "{}: names a file outside the folder: {}", where, file);
  // The array has every field as a string of a Python number.
  const std::string_view label = fields[3].substr(0, fields[3].find(".0"));
  LONGCONV_CHECK(label == "0" || label == "1", DataError, "{}: label {}, expected 0 or 1", where,
                 fields[3]);
  return {file, label == "1" ? 1 : 0};
}

/// The header's text behind `key`, e.g. "(1000, 11)" for "'shape': ".
std::string_view behind(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(key);
  return at == std::string_view::npos ? std::string_view() : header.substr(at + key.size());
}

/// A NumPy array of strings, two-dimensional, in C order; each string padded with zeros.
std::vector<PathfinderEntry> parse_array(std::string_view text, const std::string& path) {
  constexpr std::size_t kLengthAt = 8;
  LONGCONV_CHECK(text.size() >= 12, DataError, "{}: truncated: {} bytes of a NumPy file", path,
                 text.size());
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const bool wide = byte(6) >= 2;
  std::size_t length = byte(kLengthAt) + 256UL * byte(kLengthAt + 1);
  if (wide) length += 65536UL * byte(kLengthAt + 2) + (std::size_t{byte(kLengthAt + 3)} << 24);
  const std::size_t header_at = kLengthAt + (wide ? 4 : 2);
  LONGCONV_CHECK(length <= text.size() - header_at, DataError,
                 "{}: truncated: the header at byte {} has {} bytes, {} follow", path, header_at,
                 length, text.size() - header_at);
  const std::string_view header = text.substr(header_at, length);
  std::string_view shape = behind(header, "'shape': (");
  std::string_view width = behind(header, "'descr': '");
  const bool unicode = width.starts_with("<U");
  const bool plain = unicode || width.starts_with("|S");
  const auto characters =
      number(width.substr(std::min<std::size_t>(2, width.size()), width.find('\'') - 2));
  const auto rows = number(shape.substr(0, shape.find(',')));
  shape.remove_prefix(std::min(shape.find(", "), shape.size()));
  const auto columns =
      number(shape.substr(std::min<std::size_t>(2, shape.size()), shape.find(')') - 2));
  LONGCONV_CHECK(plain && characters.value_or(0) > 0 && rows.value_or(-1) >= 0 &&
                     columns.value_or(0) > 0 && header.find("False") != std::string_view::npos,
                 DataError,
                 "{}: header at byte {}: expected a two-dimensional array of strings in C order",
                 path, header_at);
  const std::string_view data = text.substr(header_at + length);
  const std::size_t each = static_cast<std::size_t>(*characters) * (unicode ? 4 : 1);
  const auto per_row = static_cast<std::size_t>(*columns);
  LONGCONV_CHECK(each <= data.size() + 1 && per_row <= data.size() + 1 &&
                     static_cast<std::size_t>(*rows) == data.size() / each / per_row &&
                     data.size() % (each * per_row) == 0,
                 DataError, "{}: {} rows of {} strings of {} bytes, but {} bytes follow byte {}",
                 path, *rows, per_row, each, data.size(), header_at + length);

  std::vector<PathfinderEntry> out;
  std::vector<std::string> cells(per_row);
  for (std::size_t row = 0; row < static_cast<std::size_t>(*rows); ++row) {
    const std::string where = fmt::format("{}: row {}", path, row);
    std::vector<std::string_view> fields;
    for (std::size_t column = 0; column < per_row; ++column) {
      const std::string_view cell = data.substr((row * per_row + column) * each, each);
      cells[column].clear();
      for (std::size_t i = 0; i < each; i += unicode ? 4 : 1) {
        const bool ascii = static_cast<unsigned char>(cell[i]) < 0x80 &&
                           (!unicode || cell.substr(i + 1, 3) == std::string_view("\0\0\0", 3));
        LONGCONV_CHECK(ascii, DataError, "{}: a character that is not ASCII", where);
        if (cell[i] != '\0') cells[column] += cell[i];
      }
      fields.emplace_back(cells[column]);
    }
    out.push_back(entry_of(fields, where));
  }
  return out;
}

}  // namespace

std::vector<PathfinderEntry> parse_pathfinder_metadata(std::span<const std::byte> bytes,
                                                       const std::string& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kNumpy)) return parse_array(text, path);
  std::vector<PathfinderEntry> out;
  for_each_text_line(text, path, [&](std::string_view line, const std::string& where) {
    if (!line.empty()) out.push_back(entry_of(split_fields(line, ' '), where));
  });
  return out;
}

std::vector<PathfinderEntry> list_pathfinder_files(const fs::path& folder) {
  const fs::path metadata = folder / "metadata";
  std::error_code error;
  std::vector<std::pair<std::int64_t, fs::path>> files;
  for (const auto& file : fs::directory_iterator(metadata, error)) {
    if (file.path().extension() != ".npy") continue;
    const auto batch = number(file.path().stem().string());
    LONGCONV_CHECK(batch, DataError, "{}: expected a number as its name", file.path().string());
    files.emplace_back(*batch, file.path());
  }
  LONGCONV_CHECK(!files.empty(), DataError,
                 "{}: no metadata/<number>.npy; expected a level's folder, such as "
                 "pathfinder32/curv_contour_length_14",
                 folder.string());
  std::sort(files.begin(), files.end());
  std::vector<PathfinderEntry> out;
  std::map<std::string, std::string> seen;
  for (const auto& [batch, path] : files) {
    const files::MappedFile file(path);
    for (PathfinderEntry& entry : parse_pathfinder_metadata(file.bytes(), path.string())) {
      const auto [at, fresh] = seen.emplace(entry.file, path.string());
      LONGCONV_CHECK(fresh, DataError, "{}: names {} a second time, first in {}", path.string(),
                     entry.file, at->second);
      out.push_back(std::move(entry));
    }
  }
  return out;
}

}  // namespace longconv::data
