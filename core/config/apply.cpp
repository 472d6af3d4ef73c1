// A Value tree, or one command-line override, onto sections.
#include "core/base/error.h"
#include "core/config/section.h"
#include "core/config/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace longconv::config {
namespace {

[[noreturn]] void fail_at(const std::string& file, const Entry& entry, const std::string& path,
                          const std::string& message) {
  throw ConfigError(
      fmt::format("{}: {}: {}", place_words({file, entry.line, entry.column}), path, message));
}

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

template <class List>
auto find_named(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(),
                      [name](const auto* item) { return item->name() == name; });
}

const Section::List* find_list(const Section& section, std::string_view name) {
  for (const Section::List& list : section.lists()) {
    if (list.name == name) return &list;
  }
  return nullptr;
}

class Applier {
 public:
  Applier(const Section& root, const std::string& file) : root_(root), file_(file) {}

  void table(Section& section, const Value& value) const {
    for (const Entry& entry : value.entries) {
      const auto key = find_named(section.keys(), entry.key);
      const auto inner = find_named(section.sections(), entry.key);
      const Section::List* const list = find_list(section, entry.key);
      const std::string path = joined(section.path(), entry.key);
      if (key != section.keys().end()) {
        // Tables have no place of their own in the file: their header's name does.
        const bool header = has_tables(entry.value);
        const Origin origin{file_, header ? entry.line : entry.value.line,
                            header ? entry.column : entry.value.column};
        (*key)->assign(entry.value, origin);
      } else if (inner != section.sections().end()) {
        if (entry.value.kind != Kind::table) {
          fail_at(file_, entry, path,
                  fmt::format("expected a table [{}], got {}", path, got_words(entry.value)));
        }
        table(**inner, entry.value);
      } else if (list != nullptr) {
        list_of_tables(*list, entry, path);
      } else {
        fail_at(file_, entry, path, unknown_key_words(section, entry.key, root_));
      }
    }
  }

 private:
  void list_of_tables(const Section::List& list, const Entry& entry,
                      const std::string& path) const {
    const std::vector<Value>& items = entry.value.items;
    if (entry.value.kind != Kind::array ||
        !std::all_of(items.begin(), items.end(),
                     [](const Value& item) { return item.kind == Kind::table; })) {
      fail_at(file_, entry, path,
              fmt::format("expected tables [[{}]], got {}", path, got_words(entry.value)));
    }
    list.clear();
    for (const Value& item : items) table(*list.append(), item);
  }

  const Section& root_;
  const std::string& file_;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// A TOML value, or a bare word as a string. "x = " goes in front, so that TOML decides.
Value override_value(std::string_view text, const std::string& place) {
  const auto read = [](const std::string& value) {
    return parse_document("x = " + value, "").entries;
  };
  // Only one line is a value: "1\nseed = 2" must not set a second key.
  if (text.find('\n') == std::string_view::npos) {
    try {
      std::vector<Entry> entries = read(std::string(text));
      if (entries.size() == 1) return std::move(entries.front().value);
    } catch (const ConfigError& error) {
      const char first = text.empty() ? ' ' : text.front();
      if (first == '"' || first == '\'' || first == '[' || first == '{') {
        const std::string words = error.what();  // ":1:7: Error while ...": no place in a file
        throw ConfigError(fmt::format("{}: expected a TOML value: {}", place,
                                      words.substr(words.find(": ") + 2)));
      }
    }
  }
  try {
    return std::move(read(toml_text(std::string(text))).front().value);
  } catch (const ConfigError&) {  // the only mistake a quoted word can still hold
    throw ConfigError(place + ": expected UTF-8 text");
  }
}

std::string takes_words(const Section& section, const std::string& path) {
  const std::string first = section.keys().empty() ? "..." : section.keys().front()->name();
  return fmt::format("is a table; override one of its keys, e.g. {}.{}=...", path, first);
}

}  // namespace

void apply_table(Section& section, const Value& table, const std::string& file) {
  Applier(section, file).table(section, table);
}

void apply_override(Section& root, std::string_view text) {
  const std::string place = fmt::format("override \"{}\"", text);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    throw ConfigError(place + ": expected key=value, got no \"=\"");
  }
  const std::string path(trimmed(text.substr(0, equals)));
  const auto fail = [&](const std::string& message) {
    throw ConfigError(fmt::format("{}: {}: {}", place, path, message));
  };
  Section* section = &root;
  std::string_view rest = path;
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::string name(rest.substr(0, dot));
    if (find_list(*section, name.substr(0, name.find('['))) != nullptr) {
      fail("a list of tables cannot be overridden; write it as [[" +
           joined(section->path(), name.substr(0, name.find('['))) + "]] in the file");
    }
    const auto key = find_named(section->keys(), name);
    const auto inner = find_named(section->sections(), name);
    if (dot == std::string_view::npos && key != section->keys().end()) {
      const Value value = override_value(trimmed(text.substr(equals + 1)), place);
      (*key)->assign(value, {place, 0, 0});
      return;
    }
    if (key != section->keys().end()) fail((*key)->path() + " is a key, not a table");
    if (inner == section->sections().end()) fail(unknown_key_words(*section, name, root));
    section = *inner;
    if (dot == std::string_view::npos) fail(takes_words(*section, path));
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace longconv::config
