// bgzip (BGZF, SAM specification 4.1): gzip members of at most 64 KiB of text each, whose sizes
// stand in an extra field, so that a reader can begin at any of them. Little-endian.
//
//   member   1f 8b 08 04, 6 bytes, u16 extra bytes, fields; "BC" 2 0 u16 (bytes of the member - 1);
//            deflate data; u32 CRC-32 and u32 size of the text
//   end      an empty member of 28 bytes
//   .gzi     u64 count, then of each member but the first: u64 offset in the file, u64 in the text
//
// Read by our own few lines over ISA-L, which inflates bases nearly twice as fast as libdeflate,
// and not by htslib, whose handles serve one thread at a time and which trusts the numbers of a
// .gzi.
#pragma once

#include "core/files/mapped_file.h"
#include "data/formats/text_store.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

bool is_bgzip(std::span<const std::byte> bytes);

/// Where a member begins, in the file and in the text.
struct BgzipMember {
  std::uint64_t file_offset = 0;
  std::uint64_t text_offset = 0;
  bool operator==(const BgzipMember&) const = default;
};

/// Of a whole file, found by its members' own sizes; the last entry is the end of the text and of
/// the members. Throws DataError with `path` and offset: no bgzip, truncated, sizes that lie.
std::vector<BgzipMember> walk_bgzip(std::span<const std::byte> bytes, const std::string& path);

/// The table in a .gzi, the first member added and the end of `bytes`, the file that it must
/// belong to. Every entry is checked for order and place, a sample of members for what the table
/// says of them. Throws DataError with `path`.
std::vector<BgzipMember> parse_gzi(std::span<const std::byte> gzi, const std::string& path,
                                   std::span<const std::byte> bytes, const std::string& file_path);
/// The bytes of a .gzi.
std::string gzi_bytes(const std::vector<BgzipMember>& members);

/// Inflates `member` of `bytes` into `out`, which has the size that the table gives. Throws
/// DataError: damaged data, another size, a wrong CRC.
void inflate_member(std::span<const std::byte> bytes, const BgzipMember& member,
                    std::span<char> out, const std::string& path);

/// The text of a bgzip file. Reads or makes the .gzi beside it.
std::unique_ptr<TextStore> open_bgzip(files::MappedFile file);

}  // namespace longconv::data
