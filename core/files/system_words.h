// The one wording of a failed system call: "path: cannot open: No such file or directory".
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace longconv::files {

/// `what` is the attempted thing ("cannot open"); `error` is errno right after the call.
inline std::string system_words(const std::filesystem::path& path, std::string_view what,
                                int error) {
  return fmt::format("{}: {}: {}", path.string(), what, std::generic_category().message(error));
}

}  // namespace longconv::files
