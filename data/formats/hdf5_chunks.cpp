#include "data/formats/hdf5_groups.h"
#include "data/formats/hdf5_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace longconv::data::hdf5 {

namespace {

using Sizes = std::array<std::uint64_t, 3>;

/// Up to three dimensions as three: further ones have a size of 1.
Sizes three(const std::vector<std::uint64_t>& sizes) {
  Sizes out{1, 1, 1};
  std::copy(sizes.begin(), sizes.end(), out.begin());
  return out;
}

struct Grid {
  Sizes shape;
  Sizes chunk;
  Sizes count;  ///< of chunks
  std::uint64_t chunk_bytes = 0;
};

Grid grid_of(const Image& image, const Dataset& dataset) {
  if (dataset.layout.chunk.size() != dataset.shape.size()) {
    image.fail(0, fmt::format("{}: chunks of another rank than the data", dataset.where));
  }
  Grid grid{three(dataset.shape), three(dataset.layout.chunk), {}, dataset.type.bytes};
  for (std::size_t i = 0; i < 3; ++i) {
    if (grid.chunk[i] == 0 ||
        __builtin_mul_overflow(grid.chunk_bytes, grid.chunk[i], &grid.chunk_bytes)) {
      image.fail(0, fmt::format("{}: chunks of an impossible size", dataset.where));
    }
    grid.count[i] = (grid.shape[i] + grid.chunk[i] - 1) / grid.chunk[i];
  }
  return grid;
}

/// HDF5's own variant: 16-bit words, the first byte the higher one.
std::uint32_t fletcher32(std::span<const std::byte> bytes) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  const auto add = [&](std::uint32_t word) {
    low = (low + word) % 65535;
    high = (high + low) % 65535;
  };
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    const auto first = std::to_integer<std::uint32_t>(bytes[at]);
    const auto second = at + 1 < bytes.size() ? std::to_integer<std::uint32_t>(bytes[at + 1]) : 0;
    add(first << 8 | second);
  }
  return high << 16 | low;
}

/// What the filters made of a chunk, undone, the last one first.
class Unfilter {
 public:
  Unfilter(const Dataset& dataset, std::uint64_t bytes) : dataset_(dataset), bytes_(bytes) {}

  std::vector<std::byte> operator()(std::span<const std::byte> stored, std::uint32_t left_out) {
    std::vector<std::byte> out(stored.begin(), stored.end());
    for (std::size_t i = dataset_.filters.size(); i-- > 0;) {
      if (i < 32 && (left_out >> i & 1U) != 0) continue;
      const Filter& filter = dataset_.filters[i];
      switch (filter.id) {
        case Filter::kDeflate:
          out = inflate(out, size_before(i, left_out));
          break;
        case Filter::kShuffle:
          out = unshuffle(out, filter);
          break;
        case Filter::kFletcher32:
          out = verify(std::move(out));
          break;
        default:
          fail(fmt::format("filter {} is none of deflate, shuffle, Fletcher's", filter.id));
      }
    }
    if (out.size() != bytes_) {
      fail(fmt::format("a chunk of {} bytes where {} belong", out.size(), bytes_));
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& words) const {
    throw DataError(fmt::format("{}: {}", dataset_.where, words));
  }

  /// Of a chunk when filter `end` gets it.
  [[nodiscard]] std::uint64_t size_before(std::size_t end, std::uint32_t left_out) const {
    std::uint64_t size = bytes_;
    for (std::size_t i = 0; i < end; ++i) {
      if (i < 32 && (left_out >> i & 1U) != 0) continue;
      if (dataset_.filters[i].id == Filter::kDeflate) fail("deflated twice");
      if (dataset_.filters[i].id == Filter::kFletcher32) size += 4;
    }
    return size;
  }

  [[nodiscard]] std::vector<std::byte> inflate(const std::vector<std::byte>& in,
                                               std::uint64_t size) const {
    // RFC 1951: 258 bytes in 2 bits at best, so that no lying size is allocated.
    if (size / 1032 > in.size()) fail(fmt::format("{} bytes in {} deflated ones", size, in.size()));
    std::vector<std::byte> out(size);
    uLongf got = size;
    const int status = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &got,
                                    reinterpret_cast<const Bytef*>(in.data()), in.size());
    if (status != Z_OK || got != size) fail("a damaged deflated chunk");
    return out;
  }

  [[nodiscard]] std::vector<std::byte> unshuffle(const std::vector<std::byte>& in,
                                                 const Filter& filter) const {
    const std::size_t width = filter.values.empty() ? dataset_.type.bytes : filter.values.front();
    if (width == 0) fail("shuffled elements of no bytes");
    const std::size_t count = in.size() / width;
    std::vector<std::byte> out(in);  // what is left over at the end stays where it is
    for (std::size_t byte = 0; byte < width && count > 0; ++byte) {
      for (std::size_t i = 0; i < count; ++i) out[i * width + byte] = in[byte * count + i];
    }
    return out;
  }

  [[nodiscard]] std::vector<std::byte> verify(std::vector<std::byte> in) const {
    if (in.size() < 4) fail("a chunk without its checksum");
    std::uint32_t want = 0;
    std::memcpy(&want, in.data() + in.size() - 4, sizeof want);
    in.resize(in.size() - 4);
    if (fletcher32(in) != want) fail("a chunk with a wrong checksum");
    return in;
  }

  const Dataset& dataset_;
  std::uint64_t bytes_;
};

/// The part of `chunk`, the one at (i, j, k), that lies in rows [first, first + rows), into `out`.
void copy_part(const Grid& grid, const Sizes& place, std::span<const std::byte> chunk,
               std::uint64_t element, std::uint64_t first, std::uint64_t rows,
               std::vector<std::byte>& out) {
  Sizes begin{};
  Sizes end{};
  for (std::size_t i = 0; i < 3; ++i) {
    begin[i] = place[i] * grid.chunk[i];
    end[i] = std::min(begin[i] + grid.chunk[i], grid.shape[i]);
  }
  const std::uint64_t run = (end[2] - begin[2]) * element;
  for (std::uint64_t i = std::max(begin[0], first); i < std::min(end[0], first + rows); ++i) {
    for (std::uint64_t j = begin[1]; j < end[1]; ++j) {
      const std::uint64_t from =
          ((i - begin[0]) * grid.chunk[1] + (j - begin[1])) * grid.chunk[2] * element;
      const std::uint64_t to =
          (((i - first) * grid.shape[1] + j) * grid.shape[2] + begin[2]) * element;
      std::memcpy(out.data() + to, chunk.data() + from, run);
    }
  }
}

}  // namespace

std::vector<Dataset::Chunk> read_chunk_index(const Image& image, const Dataset& dataset) {
  const Grid grid = grid_of(image, dataset);
  const std::uint64_t rank = dataset.shape.size();
  const auto found = read_tree(image, dataset.layout.address, TreeKind::chunks, 8 + 8 * (rank + 1));
  // Not more chunks than elements, whose number has been checked: no product overflows.
  const std::uint64_t wanted = grid.count[0] * grid.count[1] * grid.count[2];
  LONGCONV_CHECK(found.size() == wanted, DataError,
                 "{}: {} chunks are there, its shape needs {}: not all of it was written",
                 dataset.where, found.size(), wanted);
  std::vector<Dataset::Chunk> chunks(wanted);
  for (TreeEntry entry : found) {
    Dataset::Chunk chunk{entry.child, entry.key.number<std::uint32_t>(),
                         entry.key.number<std::uint32_t>()};
    Sizes place{};
    for (std::size_t i = 0; i < rank; ++i) {
      const auto offset = entry.key.number<std::uint64_t>();
      place[i] = offset / grid.chunk[i];
      if (offset % grid.chunk[i] != 0 || place[i] >= grid.count[i]) {
        entry.key.fail("a chunk outside its data");
      }
    }
    auto& there = chunks[(place[0] * grid.count[1] + place[1]) * grid.count[2] + place[2]];
    if (there.address != kUndefined) entry.key.fail("a chunk that is there twice");
    static_cast<void>(image.at(chunk.address, chunk.bytes));
    there = chunk;
  }
  return chunks;
}

std::vector<std::byte> read_rows(const Image& image, const Dataset& dataset, std::uint64_t first,
                                 std::uint64_t rows) {
  const std::uint64_t element = dataset.type.bytes;
  const std::uint64_t row_bytes = dataset.row() * element;
  LONGCONV_CHECK(rows <= dataset.shape[0] && first <= dataset.shape[0] - rows, DataError,
                 "{}: rows [{}, {}) asked for, there are {}", dataset.where, first, first + rows,
                 dataset.shape[0]);
  if (rows == 0 || row_bytes == 0) return {};
  if (dataset.layout.kind != Layout::Kind::chunked) {
    const auto all = image.at(dataset.layout.address, dataset.layout.size);
    const auto bytes = Cursor(all).take(dataset.layout.size);
    const auto part = bytes.subspan(first * row_bytes, rows * row_bytes);
    return {part.begin(), part.end()};
  }
  const Grid grid = grid_of(image, dataset);
  Unfilter unfilter(dataset, grid.chunk_bytes);
  std::vector<std::byte> out(rows * row_bytes);
  for (std::uint64_t i = first / grid.chunk[0]; i <= (first + rows - 1) / grid.chunk[0]; ++i) {
    for (std::uint64_t j = 0; j < grid.count[1]; ++j) {
      for (std::uint64_t k = 0; k < grid.count[2]; ++k) {
        const auto& chunk = dataset.chunks[(i * grid.count[1] + j) * grid.count[2] + k];
        Cursor stored = image.at(chunk.address, chunk.bytes);
        const auto bytes = unfilter(stored.take(chunk.bytes), chunk.left_out);
        copy_part(grid, {i, j, k}, bytes, element, first, rows, out);
      }
    }
  }
  return out;
}

}  // namespace longconv::data::hdf5
