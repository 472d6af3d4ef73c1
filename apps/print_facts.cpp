#include "apps/print_facts.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;

std::string plain(const ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  return value.dump();
}

void print_table(const ordered_json& rows, int indent) {
  std::vector<std::vector<std::string>> cells(1);
  for (const auto& [key, value] : rows.front().items()) cells.front().push_back(key);
  for (const ordered_json& row : rows) {
    cells.emplace_back();
    for (const std::string& key : cells.front()) {
      cells.back().push_back(row.contains(key) ? plain(row[key]) : "");
    }
  }
  std::vector<std::size_t> widths(cells.front().size(), 0);
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const auto& line : cells) {
    std::string text(static_cast<std::size_t>(indent), ' ');
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += fmt::format("{:<{}}", line[i], i + 1 < line.size() ? widths[i] + 2 : 0);
    }
    fmt::print("{}\n", text);
  }
}

void print_object(const ordered_json& object, int indent) {
  for (const auto& [key, value] : object.items()) {
    const std::string label = fmt::format("{:{}}{}", "", indent, key);
    if (value.is_object()) {
      fmt::print("{}\n", label);
      print_object(value, indent + 2);
    } else if (value.is_array() && !value.empty() && value.front().is_object()) {
      fmt::print("{}\n", label);
      print_table(value, indent + 2);
    } else if (value.is_array() && value.size() > 1 && value.front().is_string()) {
      fmt::print("{}\n", label);
      for (const ordered_json& line : value) {
        fmt::print("{:{}}{}\n", "", indent + 2, plain(line));
      }
    } else {
      fmt::print("{:<28} {}\n", label, plain(value));
    }
  }
}

}  // namespace

void print_facts(std::string_view json) { print_object(ordered_json::parse(json), 0); }

void print_result(std::string_view json, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", json);
  } else {
    print_facts(json);
  }
}

}  // namespace longconv::apps
