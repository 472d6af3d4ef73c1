#include "models/weights/rename.h"

#include "core/base/check.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace longconv::models {

std::size_t rename_all(NamedTensors& named, const Rename& rename, const std::string& where) {
  std::size_t changed = 0;
  std::map<std::string, files::TensorView> tensors;
  for (auto& [name, view] : named.tensors) {
    const std::string fresh = rename(name);
    if (fresh != name) ++changed;
    LONGCONV_CHECK(tensors.emplace(fresh, std::move(view)).second, CheckpointError,
                   "{}: tensor {}: another tensor would be called {} as well", where, name, fresh);
  }
  named.tensors = std::move(tensors);
  std::map<std::string, std::string> unreadable;
  for (const auto& [name, why] : named.unreadable) unreadable.emplace(rename(name), why);
  named.unreadable = std::move(unreadable);
  return changed;
}

std::string replace_first(const std::string& name, std::string_view what, std::string_view with) {
  const std::size_t at = name.find(what);
  if (at == std::string::npos) return name;
  std::string out = name;
  return out.replace(at, what.size(), with);
}

std::string replace_prefix(const std::string& name, std::string_view prefix,
                           std::string_view with) {
  return name.starts_with(prefix) ? std::string(with) + name.substr(prefix.size()) : name;
}

void rename_prefixes(NamedTensors& named, std::span<const Prefix> prefixes, RepairReport& report,
                     const std::string& where) {
  for (const Prefix& row : prefixes) {
    const std::size_t changed = rename_all(
        named, [&](const std::string& name) { return replace_prefix(name, row.prefix, row.with); },
        where);
    if (changed > 0) {
      report.repaired.push_back(
          row.with.empty() ? fmt::format("{} taken off {} names", row.prefix, changed)
                           : fmt::format("{} is {} in {} names", row.prefix, row.with, changed));
    }
  }
}

void drop(NamedTensors& named, RepairReport& report,
          const std::function<const char*(const files::TensorView&, const std::string&)>& why) {
  for (auto at = named.tensors.begin(); at != named.tensors.end();) {
    if (const char* reason = why(at->second, at->first)) {
      report.dropped.push_back(fmt::format("{} ({})", at->first, reason));
      at = named.tensors.erase(at);
    } else {
      ++at;
    }
  }
}

}  // namespace longconv::models
