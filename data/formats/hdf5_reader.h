// Datasets and attributes in the root of an HDF5 file, read by our own code: libhdf5 1.10 writes
// and reads outside its memory, leaks and loops on damaged files (its first overflow takes a fuzzer
// a second), follows links to other files and loads plug-ins that a file asks for. Sizes are
// checked against the file before anything is allocated.
//
// Read is what libhdf5 and h5py write unless told otherwise, and what `h5repack -l CONTI` makes of
// the rest: superblocks 0 to 3, groups as symbol tables or as links in their header, whole numbers
// and IEEE floats of either byte order, data in one piece or in chunks found by a B-tree of version
// 1, through deflate, shuffle and Fletcher's checksum. Links and data in other files are not
// followed.
#pragma once

#include "core/files/mapped_file.h"
#include "data/formats/hdf5_messages.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data::hdf5 {

struct Dataset {
  std::string where;  ///< "file: /name", for messages
  std::vector<std::uint64_t> shape;
  std::uint64_t elements = 0;
  Type type;
  Layout layout;
  std::vector<Filter> filters;
  /// Where chunk (i, j, k) lies, in row-major order; of chunked data only.
  struct Chunk {
    std::uint64_t address = kUndefined;
    std::uint32_t bytes = 0;
    std::uint32_t left_out = 0;  ///< filters that were not applied, a bit each
  };
  std::vector<Chunk> chunks;
  [[nodiscard]] bool is_integer() const { return type.kind == Type::Kind::integer; }
  [[nodiscard]] bool is_real() const { return type.kind == Type::Kind::real; }
  /// Elements behind one index of the first dimension.
  [[nodiscard]] std::uint64_t row() const;
};

/// Thread-safe. All of it throws DataError with the path.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path);

  [[nodiscard]] const std::string& path() const { return image_.path; }
  [[nodiscard]] bool has(const std::string& name) const { return links_.count(name) > 0; }
  /// Throws if it is missing, has another rank (1 to 3), or promises more than the file stores.
  [[nodiscard]] Dataset dataset(const std::string& name, std::size_t rank) const;
  /// Rows [first, first + rows) of the first dimension. The dataset must be of whole numbers, all
  /// below 2^63.
  [[nodiscard]] std::vector<std::int64_t> integers(const Dataset& dataset, std::uint64_t first,
                                                   std::uint64_t rows) const;
  /// All of a dataset of floats.
  [[nodiscard]] std::vector<float> reals(const Dataset& dataset) const;

  [[nodiscard]] std::int64_t integer_attribute(const std::string& name) const;
  /// Of fixed or variable length, as C programs and h5py write them.
  [[nodiscard]] std::string text_attribute(const std::string& name) const;

 private:
  void find_root();
  void read_root(std::uint64_t address);
  [[nodiscard]] Attribute attribute(const std::string& name) const;

  files::MappedFile file_;
  Image image_;
  std::map<std::string, std::uint64_t> links_;  // of the root: names and object headers
  std::vector<Message> attributes_;
};

/// The chunks of a dataset whose shape and layout are known. Throws DataError: damaged, one
/// missing.
std::vector<Dataset::Chunk> read_chunk_index(const Image& image, const Dataset& dataset);
/// The bytes of rows [first, first + rows), as the file's type has them.
std::vector<std::byte> read_rows(const Image& image, const Dataset& dataset, std::uint64_t first,
                                 std::uint64_t rows);

}  // namespace longconv::data::hdf5
