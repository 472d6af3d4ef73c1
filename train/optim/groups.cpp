#include "train/optim/groups.h"

#include "core/config/section.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace longconv::train {
namespace {

using Override = std::pair<std::optional<double>, std::optional<double>>;  // lr, weight decay

Override override_of(const ParameterInfo& parameter) {
  return {parameter.lr, parameter.weight_decay};
}

bool matches(const std::string& pattern, const ParameterInfo& parameter) {
  return std::any_of(parameter.names.begin(), parameter.names.end(),
                     [&](const std::string& name) { return glob_match(pattern, name); });
}

/// "a.0.b.weight" -> {"a.*.b.*", "a.*.b.weight", "a.0.b.weight"} and the like: from the widest
/// pattern to the name itself. Patterns shorter than the layer index would say nothing.
std::vector<std::string> candidates(const std::string& name) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t dot = 0; dot != std::string::npos; start = dot + 1) {
    dot = name.find('.', start);
    parts.push_back(name.substr(start, dot == std::string::npos ? dot : dot - start));
  }
  bool first_index = true;  // the layer; later numbers tell one tensor from another
  std::string prefix;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool number =
        !parts[i].empty() && std::all_of(parts[i].begin(), parts[i].end(), [](char c) {
          return std::isdigit(static_cast<unsigned char>(c)) != 0;
        });
    if (i > 0) prefix += '.';
    prefix += number && first_index ? "*" : parts[i].c_str();
    first_index = first_index && !number;
    if (!first_index && i + 1 < parts.size() && !number) out.push_back(prefix + ".*");
  }
  if (!first_index) out.push_back(prefix);
  out.push_back(name);
  return out;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  // Greedy with one point of return: linear in practice, never exponential.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::vector<GroupSetting> group_settings(const OptimConfig& config,
                                         const std::vector<ParameterInfo>& parameters) {
  std::vector<Override> chosen(parameters.size());
  for (std::size_t g = 0; g < config.group.size(); ++g) {
    const GroupConfig& group = config.group[g];
    const std::string& pattern = group.match();
    if (pattern.empty()) group.match.fail("expected a pattern of parameter names, e.g. \"*.bias\"");
    const double lr = group.lr();
    const double weight_decay = group.weight_decay();
    bool used = false;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!matches(pattern, parameters[i])) continue;
      used = true;
      if (lr >= 0.0 && !chosen[i].first) chosen[i].first = lr;
      if (weight_decay >= 0.0 && !chosen[i].second) chosen[i].second = weight_decay;
    }
    if (!used) {
      std::vector<std::string> names;
      for (const ParameterInfo& parameter : parameters) {
        names.insert(names.end(), parameter.names.begin(), parameter.names.end());
      }
      const std::string near = config::nearest(pattern, names);
      group.match.fail(fmt::format(
          "\"{}\" matches none of the model's {} parameters; a name looks like {}", pattern,
          parameters.size(), near.empty() && !names.empty() ? names.front() : near));
    }
  }
  std::vector<GroupSetting> out;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto lr = chosen[i].first ? chosen[i].first : parameters[i].lr;
    const auto weight_decay = chosen[i].second ? chosen[i].second : parameters[i].weight_decay;
    out.push_back({lr.value_or(config.lr()), weight_decay.value_or(config.weight_decay())});
  }
  return out;
}

void append_default_groups(OptimConfig& config, const std::vector<ParameterInfo>& parameters) {
  const auto listed = [&](const std::string& pattern, double lr, double weight_decay) {
    for (std::size_t g = 0; g < config.group.size(); ++g) {
      const GroupConfig& group = config.group[g];
      if (group.match() == pattern && group.lr() == lr && group.weight_decay() == weight_decay) {
        return true;
      }
    }
    return false;
  };
  std::vector<bool> covered(parameters.size(), false);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Override own = override_of(parameters[i]);
    if (covered[i] || own == Override{}) continue;
    for (const std::string& pattern : candidates(parameters[i].names.front())) {
      const bool exact = std::all_of(parameters.begin(), parameters.end(), [&](const auto& other) {
        return !matches(pattern, other) || override_of(other) == own;
      });
      if (!exact) continue;
      for (std::size_t j = 0; j < parameters.size(); ++j) {
        if (matches(pattern, parameters[j])) covered[j] = true;
      }
      const double lr = own.first.value_or(-1.0);
      const double weight_decay = own.second.value_or(-1.0);
      if (listed(pattern, lr, weight_decay)) break;
      GroupConfig& group = config.group.append();
      group.match.set(pattern);
      group.lr.set(lr);
      group.weight_decay.set(weight_decay);
      break;
    }
  }
}

}  // namespace longconv::train
