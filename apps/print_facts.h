// The text form of a JSON result: what `inspect` and `data inspect` show without --json.
#pragma once

#include <string_view>

namespace longconv::apps {

/// Prints one JSON object to stdout: "key  value" lines in the object's order, nested objects
/// indented, a list of objects as a table with their keys as its head, a list of texts one a line.
void print_facts(std::string_view json);

/// A command's result on stdout: the JSON itself where `as_json`, else its facts.
void print_result(std::string_view json, bool as_json);

}  // namespace longconv::apps
