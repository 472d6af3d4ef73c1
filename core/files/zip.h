// The table of contents of a zip archive (PKWARE's APPNOTE 6.3, ZIP64 included), as far as the
// files of torch.save need it: members stored or deflated, on one disk, unencrypted.
//
// Nothing in the file is trusted before it is checked: the central directory against the file,
// every member's local header and span against the part before the directory, no two members over
// the same bytes, no name twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace longconv::files {

struct ZipMember {
  bool deflated = false;
  std::uint32_t crc32 = 0;          ///< of the contents, as the directory says
  std::uint64_t size = 0;           ///< of the contents; if stored, of `data`
  std::span<const std::byte> data;  ///< as it lies in the archive
};

/// Members by name, folders left out; their data point into `bytes`. Throws CheckpointError with
/// `path` and what was expected.
std::map<std::string, ZipMember> parse_zip(std::span<const std::byte> bytes,
                                           const std::string& path);

/// The contents of a deflated member. `most` bounds what is allocated. Throws CheckpointError with
/// `where` if it claims more than `most` or gives another number of bytes than it claims.
std::vector<std::byte> inflate(const ZipMember& member, std::uint64_t most,
                               const std::string& where);

/// Whether the contents have the checksum the directory gives. 0 stands for none: PyTorch writes it
/// where checksums are turned off.
bool has_its_checksum(std::uint32_t crc32, std::span<const std::byte> contents);

}  // namespace longconv::files
