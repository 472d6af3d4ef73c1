// Sections as a TOML file: every key with its value, and its help, range and default as a comment.
#include "core/config/section.h"

#include <fmt/format.h>

#include <algorithm>

namespace longconv::config {
namespace {

constexpr std::size_t kWidestAligned = 44;  // a longer line does not push its neighbours' comments

std::string comment_of(const KeyBase& key) {
  std::string range = key.range_words();
  if (!range.empty()) range += "; ";
  return fmt::format("{} ({}default {})", key.help(), range, key.default_toml());
}

void print_keys(const Section& section, std::string& out) {
  std::vector<std::string> lines;
  std::size_t width = 0;
  for (const KeyBase* key : section.keys()) {
    lines.push_back(fmt::format("{} = {}", key->name(), key->to_toml()));
    if (lines.back().size() <= kWidestAligned) width = std::max(width, lines.back().size());
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += fmt::format("{:<{}}  # {}\n", lines[i], width, comment_of(*section.keys()[i]));
  }
}

/// `path` is the section's in headers: unlike Section::path(), without the index of list elements.
void print_section(const Section& section, const std::string& path, bool is_element,
                   std::string& out) {
  if (!section.help().empty()) out += fmt::format("# {}\n", section.help());
  if (!path.empty())
    out += is_element ? fmt::format("[[{}]]\n", path) : fmt::format("[{}]\n", path);
  print_keys(section, out);
  const std::string prefix = path.empty() ? "" : path + ".";
  // What a list may hold can be seen only once it holds something, so at least its name is told.
  for (const Section::List& list : section.lists()) {
    if (list.elements().empty()) {
      out += fmt::format("# [[{}{}]] tables may follow: {}\n", prefix, list.name, list.help);
    }
  }
  for (const Section* inner : section.sections()) {
    out += '\n';
    print_section(*inner, prefix + inner->name(), false, out);
  }
  for (const Section::List& list : section.lists()) {
    for (const Section* element : list.elements()) {
      out += '\n';
      print_section(*element, prefix + list.name, true, out);
    }
  }
}

}  // namespace

std::string print(const Section& root) {
  std::string out;
  print_section(root, "", false, out);  // what parse(root, ...) reads is relative to root
  return out;
}

}  // namespace longconv::config
