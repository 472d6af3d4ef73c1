// A TOML value between the parser and the keys: the one form in which parse.cpp (the only file that
// pays for toml++) hands a document on.
#pragma once

#include "core/config/section.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::config {

enum class Kind : std::uint8_t { boolean, integer, floating, text, date, array, table };

struct Entry;

struct Value {
  Kind kind = Kind::table;
  int line = 0;  ///< where it stands, from 1
  int column = 0;
  bool boolean = false;
  std::int64_t integer = 0;
  double floating = 0.0;
  std::string text;            ///< of a string; of a date or time, as written
  std::vector<Value> items;    ///< of an array
  std::vector<Entry> entries;  ///< of a table, in the order of the file
};

/// One "key = value" or [table]; the place is the key's.
struct Entry {
  std::string key;
  int line = 0;
  int column = 0;
  Value value;
};

/// The document as a table. Throws ConfigError "file:line:column: ...".
Value parse_document(std::string_view text, const std::string& file);

/// Fills `section` from a table; `origin.file` names the place, lines come from the values.
void apply_table(Section& section, const Value& table, const std::string& file);

/// `"6e-4"`: the value as TOML writes it, cut if long; tables as `a table`.
std::string value_words(const Value& value);
/// True for a table and for an array of tables.
bool has_tables(const Value& value);
/// `a string`, `an integer`, ...
std::string_view kind_words(Kind kind);
/// What came, for messages: `"6e-4" (a string)`, `a table`, `inf (not finite)`.
std::string got_words(const Value& value);

/// The text of a value in TOML.
std::string toml_text(bool value);
std::string toml_text(std::int64_t value);
std::string toml_text(double value);
std::string toml_text(const std::string& value);

/// "file:line:column", "file" where there is no line, or "" for a default.
std::string place_words(const Origin& origin);

/// Message of a name that `section` does not have: nearest known name, and what it takes.
std::string unknown_key_words(const Section& section, const std::string& name, const Section& root);

}  // namespace longconv::config
