// `longconv data convert`: one container into another, chosen by the names' endings.
//
//   .bin (nanoGPT, llm.c; also a glob such as 'fineweb_train_*.bin')  -> .lct   needs a tokenizer
//   .lct -> .h5, .h5 -> .lct                                                    tokens
//   .npy -> .h5, .h5 -> .npy                                                    numeric series
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::data {

struct Converted {
  std::string what;                 ///< "tokens" or "series"
  std::string layout;               ///< of the source: "token shard", "llm.c", "hdf5", "npy", ...
  std::int64_t documents = 0;       ///< tokens only
  std::vector<std::int64_t> shape;  ///< [tokens], or [S, T, C]
};

/// `tokenizer` (open_tokenizer's words) is required for .bin, which does not say what its ids mean,
/// and must be empty otherwise. A .bin's documents end at its EOS ids. A .npy is [T, C] or
/// [S, T, C], float32, or float64, which is rounded. Throws UsageError (a pair of endings that is
/// not listed above), DataError, EnvironmentError. The target appears whole or not at all.
Converted convert_data(const std::string& source, const std::filesystem::path& target,
                       const std::string& tokenizer);

}  // namespace longconv::data
