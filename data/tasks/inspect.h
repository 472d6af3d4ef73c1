// What a corpus folder, a shard, an HDF5 container or a genome holds, with samples to look at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace longconv::data {

struct InspectionOptions {
  std::int64_t samples = 3;  ///< pieces of the stream, evenly spaced
  bool verify = false;       ///< check every checksum, every id and every document start
};

/// A JSON object; "kind" is "corpus", "token shard", "samples", "hdf5 tokens", "hdf5 series",
/// "genome" or "intervals". Samples are decoded where the tokenizer is at hand (the corpus around a
/// shard), else shown as ids. Throws DataError: what it looks at is damaged, or none of these.
std::string inspect_data(const std::filesystem::path& path, const InspectionOptions& options);

}  // namespace longconv::data
