// The messages of HDF5's object headers that describe data: how many elements, of what type, where
// they lie and what was done to them. From the format's specification, IV.A.2.
#pragma once

#include "data/formats/hdf5_image.h"

#include <vector>

namespace longconv::data::hdf5 {

enum class MessageType : std::uint16_t {
  dataspace = 0x01,
  link_info = 0x02,
  datatype = 0x03,
  link = 0x06,
  external_files = 0x07,
  layout = 0x08,
  filters = 0x0b,
  attribute = 0x0c,
  continuation = 0x10,
  symbol_table = 0x11
};

struct Message {
  MessageType type{};
  std::uint8_t flags = 0;
  Cursor data;
};

/// All messages of the object header at `address`. Throws DataError: damaged, a wrong checksum.
std::vector<Message> read_header(const Image& image, std::uint64_t address);

struct Type {
  enum class Kind { integer, real, text, variable_text, other };
  Kind kind = Kind::other;
  std::uint64_t bytes = 0;  ///< of an element
  bool is_signed = false;
  bool big_endian = false;
};

struct Filter {
  enum Id : std::uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };
  std::uint16_t id = 0;
  std::vector<std::uint32_t> values;
};

struct Layout {
  enum class Kind { compact, contiguous, chunked };
  Kind kind = Kind::compact;
  std::uint64_t address = kUndefined;  ///< of the data, or of the index of chunks
  std::uint64_t size = 0;              ///< of the data; 0 for chunks
  std::vector<std::uint64_t> chunk;    ///< the shape of one, in elements
};

/// The shape; of one value (a scalar) it is empty. Throws DataError.
std::vector<std::uint64_t> read_dataspace(Cursor data);
/// Types other than whole numbers, IEEE floats and strings are Kind::other. Throws DataError.
Type read_datatype(Cursor data);
/// Throws DataError also for layouts newer than version 3's (chunks with other indices, virtual).
Layout read_layout(Cursor data);
std::vector<Filter> read_filters(Cursor data);

struct Attribute {
  std::string name;
  std::vector<std::uint64_t> shape;
  Type type;
  Cursor data;
};
Attribute read_attribute(const Message& message);

/// A string of variable length, which lies in a heap of the whole file.
std::string read_variable_text(const Image& image, Cursor data);

}  // namespace longconv::data::hdf5
