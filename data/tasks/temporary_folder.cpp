#include "data/tasks/temporary_folder.h"

#include "core/base/log.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// The process whose number ends `name`, or 0 if it does not end so.
pid_t owner_of(const std::string& name, const std::string& prefix) {
  pid_t owner = 0;
  if (!name.starts_with(prefix)) return 0;
  const char* last = name.data() + name.size();
  const auto [stop, failed] = std::from_chars(name.data() + prefix.size(), last, owner);
  return failed == std::errc() && stop == last && owner > 0 ? owner : 0;
}

void remove_abandoned(const fs::path& out) {
  const std::string prefix = out.filename().string() + ".tmp-";
  std::error_code error;
  for (fs::directory_iterator entry(out.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    const pid_t owner = owner_of(entry->path().filename().string(), prefix);
    if (owner == 0 || ::kill(owner, 0) == 0 || errno != ESRCH) continue;
    log::info("{}: left by a process that was killed; removed", entry->path().string());
    std::error_code ignored;
    fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

TemporaryFolder::TemporaryFolder(const fs::path& out)
    : path_(fmt::format("{}.tmp-{}", out.string(), ::getpid())) {
  remove_abandoned(out);
  std::error_code error;
  fs::remove_all(path_, error);  // of an earlier process with our number
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

}  // namespace longconv::data
