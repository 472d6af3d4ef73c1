#include "data/tasks/labelled.h"

#include <nlohmann/json.hpp>

namespace longconv::data {

std::string sources_json(const std::vector<std::filesystem::path>& sources) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const auto& source : sources) names.push_back(source.filename().string());
  return nlohmann::ordered_json{{"sources", names}}.dump();
}

}  // namespace longconv::data
