#include "core/files/zip.h"

#include "core/base/check.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

namespace longconv::files {
namespace {

// Signatures and sizes of APPNOTE 4.3; every record is little-endian.
constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kCentralBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocator64Bytes = 20;
constexpr std::size_t kMaxComment = 0xFFFF;
constexpr std::uint32_t kSeeZip64 = 0xFFFFFFFF;  // the number is in the ZIP64 field
constexpr std::uint16_t kZip64Field = 0x0001;
constexpr std::uint16_t kEncrypted = 0x0001;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;

template <class T>
T read(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));  // callers have checked the range
  return value;
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
};

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  std::map<std::string, ZipMember> members() {
    const Directory directory = find_directory();
    std::map<std::string, ZipMember> out;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
    std::span<const std::byte> rest = bytes_.subspan(directory.offset, directory.bytes);
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
      read_entry(rest, directory.offset, out, spans);
    }
    if (!rest.empty()) fail("the directory is longer than its entries");
    std::sort(spans.begin(), spans.end());
    for (std::size_t i = 1; i < spans.size(); ++i) {
      if (spans[i].first < spans[i - 1].second) fail("two members lie over the same bytes");
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw CheckpointError(fmt::format("{}: zip archive: {}", path_, what));
  }

  Directory find_directory() const {
    const std::size_t end = find_end();
    if (read<std::uint16_t>(bytes_, end + 4) != 0 || read<std::uint16_t>(bytes_, end + 6) != 0) {
      fail("it is spread over several disks");
    }
    Directory out{read<std::uint32_t>(bytes_, end + 16), read<std::uint32_t>(bytes_, end + 12),
                  read<std::uint16_t>(bytes_, end + 10)};
    std::size_t behind = end;  // the directory must end here or before
    if (end >= kLocator64Bytes &&
        read<std::uint32_t>(bytes_, end - kLocator64Bytes) == kLocator64) {
      const std::size_t locator = end - kLocator64Bytes;
      const auto at = read<std::uint64_t>(bytes_, locator + 8);
      if (at > locator || locator - at < kEnd64Bytes || read<std::uint32_t>(bytes_, at) != kEnd64) {
        fail("the ZIP64 record is not where it should be");
      }
      out = {read<std::uint64_t>(bytes_, at + 48), read<std::uint64_t>(bytes_, at + 40),
             read<std::uint64_t>(bytes_, at + 32)};
      behind = at;
    }
    if (out.offset > behind || out.bytes > behind - out.offset) {
      fail(
          fmt::format("the directory of {} bytes at byte {} lies outside the file's {}; is it "
                      "truncated?",
                      out.bytes, out.offset, bytes_.size()));
    }
    if (out.entries > out.bytes / kCentralBytes) {
      fail(fmt::format("{} members do not fit into a directory of {} bytes", out.entries,
                       out.bytes));
    }
    return out;
  }

  /// The record whose comment ends with the file; the last one counts.
  std::size_t find_end() const {
    if (bytes_.size() >= kEndBytes) {
      const std::size_t last = bytes_.size() - kEndBytes;
      const std::size_t first = last > kMaxComment ? last - kMaxComment : 0;
      for (std::size_t at = last + 1; at-- > first;) {
        if (read<std::uint32_t>(bytes_, at) == kEnd &&
            read<std::uint16_t>(bytes_, at + 20) == last - at) {
          return at;
        }
      }
    }
    fail("its end record is missing; the file is truncated, or no zip archive");
  }

  void read_entry(std::span<const std::byte>& rest, std::uint64_t limit,
                  std::map<std::string, ZipMember>& out,
                  std::vector<std::pair<std::uint64_t, std::uint64_t>>& spans) const {
    if (rest.size() < kCentralBytes || read<std::uint32_t>(rest, 0) != kCentral) {
      fail("an entry of the directory is damaged");
    }
    const std::size_t name_bytes = read<std::uint16_t>(rest, 28);
    const std::size_t extra_bytes = read<std::uint16_t>(rest, 30);
    const std::size_t comment_bytes = read<std::uint16_t>(rest, 32);
    if (rest.size() - kCentralBytes < name_bytes + extra_bytes + comment_bytes) {
      fail("an entry of the directory is cut off");
    }
    const std::string name(text(rest.subspan(kCentralBytes, name_bytes)));
    const auto flags = read<std::uint16_t>(rest, 8);
    const auto method = read<std::uint16_t>(rest, 10);
    ZipMember member;
    member.deflated = method == kDeflated;
    member.crc32 = read<std::uint32_t>(rest, 16);
    std::uint64_t packed = read<std::uint32_t>(rest, 20);
    member.size = read<std::uint32_t>(rest, 24);
    std::uint64_t at = read<std::uint32_t>(rest, 42);
    widen(rest.subspan(kCentralBytes + name_bytes, extra_bytes), name,
          {&member.size, &packed, &at});
    rest = rest.subspan(kCentralBytes + name_bytes + extra_bytes + comment_bytes);

    if ((flags & kEncrypted) != 0) fail(name + ": is encrypted");
    if (method != kStored && method != kDeflated) {
      fail(fmt::format("{}: expected a stored or deflated member, got method {}", name, method));
    }
    if (!member.deflated && packed != member.size) {
      fail(fmt::format("{}: stored, but {} bytes are said to be {}", name, packed, member.size));
    }
    const std::uint64_t begin = behind_local_header(at, limit, name);
    if (packed > limit - begin) {
      fail(fmt::format("{}: {} bytes from byte {} reach beyond byte {}, where the directory begins",
                       name, packed, begin, limit));
    }
    member.data = bytes_.subspan(begin, packed);
    spans.emplace_back(at, begin + packed);
    if (name.ends_with('/') && packed == 0) return;
    if (!out.emplace(name, member).second) fail(name + ": the name comes twice");
  }

  /// Numbers that did not fit 32 bits stand in the ZIP64 field, in this order.
  void widen(std::span<const std::byte> extra, const std::string& name,
             std::initializer_list<std::uint64_t*> numbers) const {
    std::span<const std::byte> field;
    while (extra.size() >= 4) {
      const auto tag = read<std::uint16_t>(extra, 0);
      const std::size_t bytes = read<std::uint16_t>(extra, 2);
      if (bytes > extra.size() - 4) break;  // padding that is no field
      if (tag == kZip64Field) field = extra.subspan(4, bytes);
      extra = extra.subspan(4 + bytes);
    }
    for (std::uint64_t* number : numbers) {
      if (*number != kSeeZip64) continue;
      if (field.size() < sizeof(std::uint64_t)) fail(name + ": its ZIP64 field is missing");
      *number = read<std::uint64_t>(field, 0);
      field = field.subspan(sizeof(std::uint64_t));
    }
  }

  std::uint64_t behind_local_header(std::uint64_t at, std::uint64_t limit,
                                    const std::string& name) const {
    if (at > limit || limit - at < kLocalBytes || read<std::uint32_t>(bytes_, at) != kLocal) {
      fail(fmt::format("{}: no member begins at byte {}", name, at));
    }
    const std::uint64_t name_bytes = read<std::uint16_t>(bytes_, at + 26);
    const std::uint64_t extra_bytes = read<std::uint16_t>(bytes_, at + 28);
    if (limit - at - kLocalBytes < name_bytes + extra_bytes) {
      fail(name + ": its local header is cut off");
    }
    if (text(bytes_.subspan(at + kLocalBytes, name_bytes)) != name) {
      fail(name + ": its local header has another name");
    }
    return at + kLocalBytes + name_bytes + extra_bytes;
  }

  std::span<const std::byte> bytes_;
  const std::string& path_;
};

}  // namespace

std::map<std::string, ZipMember> parse_zip(std::span<const std::byte> bytes,
                                           const std::string& path) {
  return Reader(bytes, path).members();
}

std::vector<std::byte> inflate(const ZipMember& member, std::uint64_t most,
                               const std::string& where) {
  // Deflate cannot shrink by more than 1032 (RFC 1951: 258 bytes in 2 bits), so that a larger claim
  // is a lie before anything is allocated.
  constexpr std::uint64_t kMostRatio = 1032;
  LONGCONV_CHECK(member.size <= most && member.size / kMostRatio <= member.data.size(),
                 CheckpointError, "{}: claims {} bytes in {} deflated ones; at most {} are read",
                 where, member.size, member.data.size(), most);
  std::vector<std::byte> out(member.size + 1);  // one more, to see a stream that is too long
  z_stream stream{};
  LONGCONV_CHECK(::inflateInit2(&stream, -MAX_WBITS) == Z_OK, EnvironmentError,
                 "{}: cannot start zlib", where);
  constexpr std::size_t kMostAtOnce = std::numeric_limits<uInt>::max();
  std::size_t read = 0;
  std::size_t written = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    // zlib's interface lacks const; it does not write to its input.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(member.data.data() + read));
    stream.avail_in = static_cast<uInt>(std::min(member.data.size() - read, kMostAtOnce));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = static_cast<uInt>(std::min(out.size() - written, kMostAtOnce));
    const uInt in = stream.avail_in;
    const uInt room = stream.avail_out;
    status = ::inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += room - stream.avail_out;
  }
  ::inflateEnd(&stream);
  LONGCONV_CHECK(status == Z_STREAM_END && written == member.size, CheckpointError,
                 "{}: expected {} deflated bytes; its stream is damaged or has another length",
                 where, member.size);
  out.pop_back();
  return out;
}

bool has_its_checksum(std::uint32_t crc32, std::span<const std::byte> contents) {
  return crc32 == 0 ||
         ::crc32_z(0, reinterpret_cast<const Bytef*>(contents.data()), contents.size()) == crc32;
}

}  // namespace longconv::files
