// A folder that a command writes: it appears whole, under its name, or not at all.
#pragma once

#include "data/tasks/temporary_folder.h"

#include <filesystem>
#include <string>

namespace longconv::apps {

class NewFolder {
 public:
  /// Makes a folder beside `out`. Throws EnvironmentError if `out` is there and not an empty
  /// folder, or if the place cannot be written.
  explicit NewFolder(const std::string& out);
  /// Where to write.
  [[nodiscard]] const std::filesystem::path& path() const { return temporary_.path(); }
  /// The name it gets.
  [[nodiscard]] const std::filesystem::path& out() const { return out_; }
  /// Renames it. Throws EnvironmentError.
  void commit();

 private:
  std::filesystem::path out_;
  data::TemporaryFolder temporary_;
};

}  // namespace longconv::apps
