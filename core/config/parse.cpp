// TOML text to a Value tree, by toml++'s compiled library (header-only, version 3.3 aborts on
// malformed input).
#include "core/base/error.h"
#include "core/config/section.h"
#include "core/config/value.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <sstream>
#include <system_error>
#include <tuple>
#include <utility>

static_assert(TOML_HEADER_ONLY == 0 && TOML_EXCEPTIONS, "use pkg-config's tomlplusplus");

namespace longconv::config {
namespace {

constexpr std::size_t kMaxBytes = 4UL << 20;  // of a file; a long one has some kilobytes
constexpr int kMaxKeyParts = 8;               // a.b.c has 3; no section lies deeper than that

/// Steps over a string that opens at `at`; gives the index behind its closing quotes.
std::size_t behind_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool multiline = text.substr(at, 3) == std::string(3, quote);
  at += multiline ? 3 : 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == '\n' && !multiline) {
      return at;  // unterminated: the parser will say so
    } else if (text[at] == quote) {
      if (!multiline) return at + 1;
      if (text.substr(at, 3) == std::string(3, quote)) return at + 3;
    }
  }
  return text.size();
}

/// toml++ limits the depth of values, but not of dotted keys, and frees tables by recursion: a key
/// of 50,000 parts would overflow the stack. So parts are counted before it sees the text.
void check_key_depth(std::string_view text, const std::string& file) {
  int parts = 1;
  int line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const std::size_t end = behind_string(text, at);
      line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                          text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      at = end;
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '.') {
      if (++parts > kMaxKeyParts) {
        throw ConfigError(fmt::format("{}:{}: expected a key of at most {} parts, got more", file,
                                      line, kMaxKeyParts));
      }
    } else if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') {
      parts = 1;
      if (c == '\n') ++line;
    }
    ++at;
  }
}

Value convert(const toml::node& node);

Value convert_table(const toml::table& table) {
  Value out;
  for (const auto& [key, node] : table) {
    const toml::source_position place = key.source().begin;
    out.entries.push_back({std::string(key.str()), static_cast<int>(place.line),
                           static_cast<int>(place.column), convert(node)});
  }
  // toml++ sorts by name; messages should name the first mistake of the file.
  std::stable_sort(out.entries.begin(), out.entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return out;
}

template <class T>
std::string streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Value convert(const toml::node& node) {
  Value out;
  switch (node.type()) {
    case toml::node_type::table:
      out = convert_table(*node.as_table());
      break;
    case toml::node_type::array:
      out.kind = Kind::array;
      for (const toml::node& item : *node.as_array()) out.items.push_back(convert(item));
      break;
    case toml::node_type::string:
      out.kind = Kind::text;
      out.text = node.as_string()->get();
      break;
    case toml::node_type::integer:
      out.kind = Kind::integer;
      out.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      out.kind = Kind::floating;
      out.floating = node.as_floating_point()->get();
      break;
    case toml::node_type::boolean:
      out.kind = Kind::boolean;
      out.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::date:
      out.kind = Kind::date;
      out.text = streamed(node.as_date()->get());
      break;
    case toml::node_type::time:
      out.kind = Kind::date;
      out.text = streamed(node.as_time()->get());
      break;
    default:
      out.kind = Kind::date;
      out.text = streamed(node.as_date_time()->get());
      break;
  }
  out.line = static_cast<int>(node.source().begin.line);
  out.column = static_cast<int>(node.source().begin.column);
  return out;
}

}  // namespace

Value parse_document(std::string_view text, const std::string& file) {
  if (text.size() > kMaxBytes) {
    throw ConfigError(fmt::format("{}: expected a configuration of at most {} bytes, got {}", file,
                                  kMaxBytes, text.size()));
  }
  check_key_depth(text, file);
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    const toml::source_position place = error.source().begin;
    throw ConfigError(
        fmt::format("{}:{}:{}: {}", file, place.line, place.column, error.description()));
  }
}

void parse(Section& root, std::string_view text, const std::string& file) {
  apply_table(root, parse_document(text, file), file);
}

void load(Section& root, const std::string& path) {
  const auto failed = [&path](int error) {
    return ConfigError(fmt::format("{}: cannot read the configuration: {}", path,
                                   std::generic_category().message(error)));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (!file) throw failed(errno);
  std::string text;
  std::array<char, 16384> chunk{};
  for (std::size_t got = 1; got > 0 && text.size() <= kMaxBytes;) {
    got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    text.append(chunk.data(), got);
  }
  if (std::ferror(file.get()) != 0) throw failed(errno);
  parse(root, text, path);
}

}  // namespace longconv::config
