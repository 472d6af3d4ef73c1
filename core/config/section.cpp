#include "core/config/section.h"

#include "core/base/error.h"
#include "core/config/value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

namespace longconv::config {
namespace {

/// Edits that make `a` of `b`: insert, delete, replace, swap neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before;  // row i - 2
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = std::exchange(last, row);
  }
  return last[b.size()];
}

std::vector<std::string> names_in(const Section& section) {
  std::vector<std::string> names;
  for (const KeyBase* key : section.keys()) names.push_back(key->name());
  for (const Section* inner : section.sections()) names.push_back(inner->name());
  for (const Section::List& list : section.lists()) names.push_back(list.name);
  return names;
}

}  // namespace

std::string place_words(const Origin& origin) {
  return origin.line > 0 ? fmt::format("{}:{}:{}", origin.file, origin.line, origin.column)
                         : origin.file;
}

KeyBase::KeyBase(Section* parent, std::string name, std::string help)
    : parent_(parent), name_(std::move(name)), help_(std::move(help)) {
  parent_->keys_.push_back(this);
}

std::string KeyBase::path() const {
  const std::string section = parent_->path();
  return section.empty() ? name_ : section + "." + name_;
}

void KeyBase::fail(const std::string& message) const { fail_at(origin_, path(), message); }

void KeyBase::fail_at(const Origin& origin, const std::string& path, const std::string& message) {
  const std::string place = place_words(origin);
  throw ConfigError(fmt::format("{}{}{}: {}", place, place.empty() ? "" : ": ", path, message));
}

Section::Section(Section* parent, std::string name, std::string help)
    : parent_(parent), name_(std::move(name)), help_(std::move(help)) {
  if (parent_ != nullptr) parent_->sections_.push_back(this);
}

std::string Section::path() const {
  const std::string above = parent_ == nullptr ? "" : parent_->path();
  return above.empty() ? name_ : above + "." + name_;
}

void Section::add_list(List list) {
  // Elements are made without a parent (SectionList knows none), so the list's owner adopts them
  // whenever it hands them out.
  auto adopted = [this, name = list.name, elements = std::move(list.elements)] {
    std::vector<Section*> all = elements();
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i]->parent_ = this;
      all[i]->name_ = fmt::format("{}[{}]", name, i);
    }
    return all;
  };
  list.elements = adopted;
  list.append = [adopted, append = std::move(list.append)] {
    Section* const element = append();
    adopted();
    return element;
  };
  lists_.push_back(std::move(list));
}

std::vector<const KeyBase*> all_keys(const Section& root) {
  std::vector<const KeyBase*> all(root.keys().begin(), root.keys().end());
  const auto append = [&all](const Section& section) {
    const std::vector<const KeyBase*> more = all_keys(section);
    all.insert(all.end(), more.begin(), more.end());
  };
  for (const Section* section : root.sections()) append(*section);
  for (const Section::List& list : root.lists()) {
    for (const Section* element : list.elements()) append(*element);
  }
  return all;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 64;  // no key is longer; a hostile file's may be
  if (word.size() > kLongest) return {};
  // A third of the letters may be wrong, and at least one: more is another word.
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best && distance < std::max(word.size(), candidate.size())) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string unknown_key_words(const Section& section, const std::string& name,
                              const Section& root) {
  const std::vector<std::string> names = names_in(section);
  std::string suggestion;
  std::size_t namesakes = 0;  // the right word in the wrong table, if only one table has it
  for (const KeyBase* key : all_keys(root)) {
    if (key->name() != name) continue;
    ++namesakes;
    suggestion = key->path();
  }
  if (namesakes != 1) suggestion = nearest(name, names);
  const std::string path = section.path();
  const std::string place = path.empty() ? "the top level" : "[" + path + "]";
  return fmt::format("unknown key{}\n  {} takes: {}",
                     suggestion.empty() ? "" : "; did you mean " + suggestion + "?", place,
                     fmt::join(names, ", "));
}

}  // namespace longconv::config
