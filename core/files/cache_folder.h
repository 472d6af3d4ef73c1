// Where the scripts keep what they fetch: vocabularies, texts, data sets, LibTorch.
#pragma once

#include <filesystem>

namespace longconv::files {

/// LONGCONV_CACHE, else XDG_CACHE_HOME/longconv, else HOME/.cache/longconv; a variable that is set
/// to nothing counts as not set, as in scripts/lib.sh. The folder need not be there.
std::filesystem::path cache_folder();

}  // namespace longconv::files
