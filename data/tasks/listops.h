// ListOps (arXiv:1804.06028), as the Long Range Arena makes it: nested MIN, MAX, MED and sums
// modulo 10 of digits, 501 to 1,999 symbols long. The answer is a digit; the commonest is 17 %.
#pragma once

#include "core/config/section.h"
#include "data/tasks/counter_random.h"
#include "data/tasks/labelled.h"
#include "data/tasks/pathfinder.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longconv::data {

struct ListOpsConfig : config::Section {
  explicit ListOpsConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "ListOps expressions, generated") {}
  config::Key<std::int64_t> count{
      this, "count", 100'000, config::at_least(std::int64_t{1}),
      "expressions of all splits: 96 % train, 2 % validation, 2 % test"};
  config::Key<std::int64_t> seed{this, "seed", 2222, config::at_least(std::int64_t{0}),
                                 "the file is a pure function of it and the keys here"};
  config::Key<std::int64_t> max_depth{this, "max_depth", 10,
                                      config::between(std::int64_t{2}, std::int64_t{32}),
                                      "levels of nesting, digits included"};
  config::Key<std::int64_t> max_args{this, "max_args", 10,
                                     config::between(std::int64_t{2}, std::int64_t{10}),
                                     "arguments of an operator, at least 2"};
  config::Key<std::int64_t> longer_than{this, "longer_than", 500,
                                        config::between(std::int64_t{0}, std::int64_t{60'000}),
                                        "symbols; expressions up to this are dropped"};
  config::Key<std::int64_t> shorter_than{this, "shorter_than", 2000,
                                         config::between(std::int64_t{3}, std::int64_t{60'000}),
                                         "symbols; expressions from this on are dropped"};
};

/// The symbols by their ids, which are those of ListOpsTokenizer.
std::vector<std::string> listops_symbols();

/// The file of `count` expressions, each with the end symbol.
Generated write_listops(const ListOpsConfig& config, const std::filesystem::path& path,
                        std::int64_t threads);

struct ListOpsFilesConfig : config::Section {
  explicit ListOpsFilesConfig(Section* parent = nullptr, std::string name = "")
      : Section(parent, std::move(name), "ListOps as the Long Range Arena ships it") {}
  config::Key<bool> check_answers{this, "check_answers", true,
                                  "compute every answer; another one in the file is an error"};
};

/// A folder with basic_train.tsv, basic_val.tsv and basic_test.tsv.
Written prepare_listops(const ListOpsFilesConfig& config, const std::filesystem::path& folder,
                        const std::filesystem::path& out, std::int64_t threads);

}  // namespace longconv::data
