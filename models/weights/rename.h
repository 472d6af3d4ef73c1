// What the repairs of tensors' names are made of.
#pragma once

#include "models/weights/repairs.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace longconv::models {

using Rename = std::function<std::string(const std::string&)>;

/// Readable and unreadable tensors under new names; the number that changed. Throws CheckpointError
/// with `where` if two would get one name.
std::size_t rename_all(NamedTensors& named, const Rename& rename, const std::string& where);

/// `what`, where it first stands -> `with`.
std::string replace_first(const std::string& name, std::string_view what, std::string_view with);
/// `prefix` at the begin -> `with`.
std::string replace_prefix(const std::string& name, std::string_view prefix, std::string_view with);

struct Prefix {
  std::string_view prefix;
  std::string_view with;
};
/// One after the other, with a line in the report for each that is met.
void rename_prefixes(NamedTensors& named, std::span<const Prefix> prefixes, RepairReport& report,
                     const std::string& where);

/// Leaves out the tensors for which `why` has an answer.
void drop(NamedTensors& named, RepairReport& report,
          const std::function<const char*(const files::TensorView&, const std::string&)>& why);

}  // namespace longconv::models
