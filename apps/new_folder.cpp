#include "apps/new_folder.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"

namespace longconv::apps {
namespace {

namespace fs = std::filesystem;

/// Absolute, without a slash at the end.
fs::path resolve(const std::string& out) {
  const fs::path path = fs::absolute(out).lexically_normal();
  return path.filename().empty() ? path.parent_path() : path;
}

}  // namespace

NewFolder::NewFolder(const std::string& out) : out_(resolve(out)), temporary_(out_) {
  const bool there = fs::exists(out_) && !(fs::is_directory(out_) && fs::is_empty(out_));
  LONGCONV_CHECK(!there, EnvironmentError,
                 "{}: is there already; name a folder that is not, or remove it", out_.string());
  files::create_folders(path());
}

void NewFolder::commit() {
  files::sync_folder(path());
  std::error_code error;
  fs::rename(path(), out_, error);
  LONGCONV_CHECK(!error, EnvironmentError, "{}: cannot take its name: {}", out_.string(),
                 error.message());
  files::sync_folder(out_.parent_path());
}

}  // namespace longconv::apps
