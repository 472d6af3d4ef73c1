// Files that grow by whole records: metrics.jsonl and TensorBoard's events.
#pragma once

#include <filesystem>
#include <string_view>

namespace longconv::train {

/// Opens (creates) `path` for appending; with `must_be_new` an existing file gives -1. Throws
/// EnvironmentError for anything else that fails.
int open_append(const std::filesystem::path& path, bool must_be_new = false);

/// Appends all of `bytes`. If only a part fits (full disk), takes it back and throws
/// EnvironmentError, so that the file never ends within a record.
void append_whole(int descriptor, std::string_view bytes, const std::filesystem::path& path);

/// fsync. Throws EnvironmentError.
void sync_append(int descriptor, const std::filesystem::path& path);

void close_append(int descriptor) noexcept;

}  // namespace longconv::train
