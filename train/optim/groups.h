// Which learning rate and weight decay each parameter gets.
//
// [[optim.group]] entries are asked in order; the first whose pattern matches one of a parameter's
// names and that sets a value decides it (learning rate and weight decay separately). What none
// decides comes from the model's own overrides (models.md 0.5), and else from [optim]. The model's
// overrides are also appended to the list as default groups, so that the resolved file shows them;
// groups of the user stand before them and win. No LibTorch here.
#pragma once

#include "train/config.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::train {

/// One tensor to train. A tensor registered under several names is one parameter.
struct ParameterInfo {
  std::vector<std::string> names;      ///< all of them; the first stands for the tensor
  std::optional<double> lr;            ///< the model's own override
  std::optional<double> weight_decay;  ///< the model's own override
};

struct GroupSetting {
  double lr = 0.0;  ///< peak learning rate
  double weight_decay = 0.0;
  bool operator==(const GroupSetting&) const = default;
};

/// True if `text` matches `pattern`, in which * stands for any run of characters (dots too) and ?
/// for one.
bool glob_match(std::string_view pattern, std::string_view text);

/// The setting of each parameter. Throws ConfigError at a group that is empty or whose pattern
/// matches no parameter, naming the nearest name.
std::vector<GroupSetting> group_settings(const OptimConfig& config,
                                         const std::vector<ParameterInfo>& parameters);

/// Appends the model's overrides to config.group, as few patterns as say them exactly. Entries that
/// are there already are not repeated, so that a resolved file resolves to itself.
void append_default_groups(OptimConfig& config, const std::vector<ParameterInfo>& parameters);

}  // namespace longconv::train
