#include "data/formats/beside.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"

namespace longconv::data {

std::filesystem::path beside(const std::filesystem::path& path, const char* suffix) {
  std::filesystem::path out = path;
  out += suffix;
  return out;
}

void keep_beside(const std::filesystem::path& path, std::string_view bytes) {
  try {
    files::write_atomic(path, bytes);
  } catch (const EnvironmentError& error) {
    log::debug("{}: not kept: {}", path.string(), error.what());
  }
}

}  // namespace longconv::data
