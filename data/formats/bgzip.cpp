#include "data/formats/bgzip.h"

#include "core/base/check.h"
#include "data/formats/beside.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

namespace longconv::data {

namespace {

constexpr std::size_t kHeader = 12;  // up to and with the length of the extra field
constexpr std::size_t kTrailer = 8;  // CRC and size
constexpr std::size_t kMaxText = 65536;
constexpr std::size_t kSampled = 256;  // members looked at when a .gzi is checked
constexpr std::array<unsigned char, 28> kEnd = {0x1f, 0x8b, 0x08, 0x04, 0, 0, 0,    0, 0,    0xff,
                                                0x06, 0,    0x42, 0x43, 2, 0, 0x1b, 0, 0x03, 0,
                                                0,    0,    0,    0,    0, 0, 0,    0};

template <class T>
T load(std::span<const std::byte> bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// What the member at an offset says about itself.
struct MemberFacts {
  std::size_t bytes = 0;  ///< all of it
  std::size_t data = 0;   ///< offset of its deflate data in it
  std::size_t text = 0;
};

/// Nothing if no bgzip member begins at `at` or it is cut short.
std::optional<MemberFacts> member_at(std::span<const std::byte> bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < kHeader + kTrailer) return std::nullopt;
  const auto rest = bytes.subspan(at);
  if (load<std::uint32_t>(rest, 0) != 0x04088b1fU) return std::nullopt;
  const std::size_t extra = load<std::uint16_t>(rest, 10);
  if (rest.size() < kHeader + extra + kTrailer) return std::nullopt;
  for (std::size_t field = kHeader; field + 4 <= kHeader + extra;) {
    const std::size_t length = load<std::uint16_t>(rest, field + 2);
    if (field + 4 + length > kHeader + extra) return std::nullopt;
    if (load<std::uint16_t>(rest, field) == 0x4342 && length == 2) {  // "BC"
      MemberFacts facts;
      facts.bytes = std::size_t{load<std::uint16_t>(rest, field + 4)} + 1;
      facts.data = kHeader + extra;
      if (facts.bytes < facts.data + kTrailer || facts.bytes > rest.size()) return std::nullopt;
      facts.text = load<std::uint32_t>(rest, facts.bytes - 4);
      if (facts.text > kMaxText) return std::nullopt;
      return facts;
    }
    field += 4 + length;
  }
  return std::nullopt;
}

void check_end(std::span<const std::byte> bytes, const std::string& path) {
  LONGCONV_CHECK(
      bytes.size() >= kEnd.size() &&
          std::memcmp(bytes.data() + bytes.size() - kEnd.size(), kEnd.data(), kEnd.size()) == 0,
      DataError, "{}: truncated: it does not end with bgzip's empty member", path);
}

/// Whether `data` is a deflate stream of exactly `out.size()` bytes, which `out` then holds.
bool inflate_exactly(std::span<const std::byte> data, std::span<char> out) {
  // 86 KiB, mostly tables and buffers that isal_inflate_init() leaves as they are.
  thread_local const auto state = std::make_unique<inflate_state>();
  isal_inflate_init(state.get());
  // It only reads what it is given, through a pointer to bytes that may be written.
  state->next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(data.data()));
  state->avail_in = static_cast<std::uint32_t>(data.size());
  state->next_out = reinterpret_cast<std::uint8_t*>(out.data());
  state->avail_out = static_cast<std::uint32_t>(out.size());
  return isal_inflate_stateless(state.get()) == ISAL_DECOMP_OK && state->avail_out == 0 &&
         state->block_state == ISAL_BLOCK_FINISH;
}

/// Members that a thread has inflated lately. Windows are often neighbours, and those of a small
/// genome share its members anyway: a fifth of E. coli's are here.
class RecentMembers {
 public:
  /// The text of a member of a store; inflate(text) makes it where it is not here.
  template <class Inflate>
  std::span<const char> get(std::uint64_t store, const BgzipMember& member, std::size_t size,
                            const Inflate& inflate) {
    for (const Entry& each : entries_) {
      if (each.store == store && each.at == member.file_offset) return each.text;
    }
    Entry& entry = entries_[next_];
    next_ = (next_ + 1) % entries_.size();
    entry.store = 0;  // until it is whole
    entry.text.resize(size);
    inflate(std::span<char>(entry.text));
    entry.store = store;
    entry.at = member.file_offset;
    return entry.text;
  }

 private:
  struct Entry {
    std::uint64_t store = 0;  // 0: empty
    std::uint64_t at = 0;
    std::vector<char> text;
  };
  std::array<Entry, 16> entries_;  // 1 MiB
  std::size_t next_ = 0;
};

/// Tells stores apart, also those that begin to live where another has ended.
std::uint64_t next_store() {
  static std::atomic<std::uint64_t> count{0};
  return ++count;
}

class BgzipText final : public TextStore {
 public:
  BgzipText(files::MappedFile file, std::vector<BgzipMember> members)
      : file_(std::move(file)), members_(std::move(members)) {
    file_.advise_random();
  }
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(members_.back().text_offset);
  }
  void read(std::int64_t offset, std::span<char> out) const override;

 private:
  files::MappedFile file_;
  std::vector<BgzipMember> members_;
  std::uint64_t store_ = next_store();
};

void BgzipText::read(std::int64_t offset, std::span<char> out) const {
  auto begin = static_cast<std::uint64_t>(offset);
  auto member = std::upper_bound(members_.begin(), members_.end(), begin,
                                 [](std::uint64_t at, const BgzipMember& each) {
                                   return at < each.text_offset;
                                 }) -
                1;
  thread_local RecentMembers recent;
  for (; !out.empty(); ++member) {
    const std::uint64_t text = (member + 1)->text_offset - member->text_offset;
    const std::uint64_t skip = begin - member->text_offset;
    const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(text - skip, out.size()));
    if (here == text) {
      inflate_member(file_.bytes(), *member, out.first(here), file_.path().string());
    } else {
      const auto part =
          recent.get(store_, *member, static_cast<std::size_t>(text), [&](std::span<char> whole) {
            inflate_member(file_.bytes(), *member, whole, file_.path().string());
          });
      std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(skip), here, out.begin());
    }
    out = out.subspan(here);
    begin += here;
  }
}

}  // namespace

bool is_bgzip(std::span<const std::byte> bytes) { return member_at(bytes, 0).has_value(); }

std::vector<BgzipMember> walk_bgzip(std::span<const std::byte> bytes, const std::string& path) {
  check_end(bytes, path);
  std::vector<BgzipMember> members(1);
  while (members.back().file_offset < bytes.size()) {
    const BgzipMember& last = members.back();
    const auto facts = member_at(bytes, static_cast<std::size_t>(last.file_offset));
    LONGCONV_CHECK(facts.has_value(), DataError,
                   "{}: no bgzip member at byte {}: damaged, or gzip joined to it", path,
                   last.file_offset);
    members.push_back({last.file_offset + facts->bytes, last.text_offset + facts->text});
  }
  // The empty member at the end, which a .gzi does not list.
  members.pop_back();
  return members;
}

std::vector<BgzipMember> parse_gzi(std::span<const std::byte> gzi, const std::string& path,
                                   std::span<const std::byte> bytes, const std::string& file_path) {
  check_end(bytes, file_path);
  LONGCONV_CHECK(gzi.size() >= 8, DataError, "{}: truncated: {} bytes, a .gzi has 8 or more", path,
                 gzi.size());
  const auto count = load<std::uint64_t>(gzi, 0);
  LONGCONV_CHECK((gzi.size() - 8) % 16 == 0 && (gzi.size() - 8) / 16 == count, DataError,
                 "{}: says {} members, {} bytes follow instead of 16 each", path, count,
                 gzi.size() - 8);
  std::vector<BgzipMember> members(1);
  members.reserve(static_cast<std::size_t>(count) + 2);
  for (std::size_t at = 8; at < gzi.size(); at += 16) {
    const BgzipMember next{load<std::uint64_t>(gzi, at), load<std::uint64_t>(gzi, at + 8)};
    LONGCONV_CHECK(next.file_offset > members.back().file_offset &&
                       next.file_offset < bytes.size() &&
                       next.text_offset >= members.back().text_offset &&
                       next.text_offset - members.back().text_offset <= kMaxText,
                   DataError,
                   "{}: member at byte {} of the file and {} of the text (entry at byte {}) cannot "
                   "follow {} and {} in {} of {} bytes: this index does not belong to it",
                   path, next.file_offset, next.text_offset, at, members.back().file_offset,
                   members.back().text_offset, file_path, bytes.size());
    members.push_back(next);
  }
  // The last member's end is where the empty one begins.
  const auto last = member_at(bytes, static_cast<std::size_t>(members.back().file_offset));
  const std::uint64_t end = bytes.size() - kEnd.size();
  const bool ends = members.back().file_offset == end ||  // some writers list the empty one too
                    (last && members.back().file_offset + last->bytes == end);
  LONGCONV_CHECK(ends, DataError,
                 "{}: its last member, at byte {} of {}, does not end where the file does, at byte "
                 "{}: this index does not belong to it",
                 path, members.back().file_offset, file_path, end);
  if (members.back().file_offset != end) {
    members.push_back({end, members.back().text_offset + last->text});
  }
  const std::size_t blocks = members.size() - 1;
  for (std::size_t i = 0; i < std::min(blocks, kSampled); ++i) {
    const std::size_t at = i * blocks / std::min(blocks, kSampled);
    const auto facts = member_at(bytes, static_cast<std::size_t>(members[at].file_offset));
    LONGCONV_CHECK(facts && members[at].file_offset + facts->bytes == members[at + 1].file_offset &&
                       members[at].text_offset + facts->text == members[at + 1].text_offset,
                   DataError,
                   "{}: {} has no member of {} bytes of text at byte {}: this index does not "
                   "belong to it",
                   path, file_path, members[at + 1].text_offset - members[at].text_offset,
                   members[at].file_offset);
  }
  return members;
}

std::string gzi_bytes(const std::vector<BgzipMember>& members) {
  std::vector<std::uint64_t> words(1);
  for (std::size_t i = 1; i + 1 < members.size(); ++i) {
    words.push_back(members[i].file_offset);
    words.push_back(members[i].text_offset);
  }
  words.front() = words.size() / 2;
  return {reinterpret_cast<const char*>(words.data()), 8 * words.size()};
}

void inflate_member(std::span<const std::byte> bytes, const BgzipMember& member,
                    std::span<char> out, const std::string& path) {
  const auto facts = member_at(bytes, static_cast<std::size_t>(member.file_offset));
  LONGCONV_CHECK(facts && facts->text == out.size(), DataError,
                 "{}: no member of {} bytes of text at byte {}: damaged, or its index does not "
                 "belong to it",
                 path, out.size(), member.file_offset);
  const auto whole = bytes.subspan(static_cast<std::size_t>(member.file_offset), facts->bytes);
  const auto data = whole.subspan(facts->data, facts->bytes - facts->data - kTrailer);
  LONGCONV_CHECK(inflate_exactly(data, out), DataError,
                 "{}: damaged deflate data in the member at byte {}", path, member.file_offset);
  const auto* text = reinterpret_cast<const std::uint8_t*>(out.data());
  LONGCONV_CHECK(
      crc32_gzip_refl(0, text, out.size()) == load<std::uint32_t>(whole, facts->bytes - kTrailer),
      DataError, "{}: wrong CRC-32 of the member at byte {}: damaged", path, member.file_offset);
}

std::unique_ptr<TextStore> open_bgzip(files::MappedFile file) {
  const std::filesystem::path path = file.path();
  const std::filesystem::path index = beside(path, ".gzi");
  std::vector<BgzipMember> members;
  if (std::error_code error; std::filesystem::exists(index, error)) {
    const files::MappedFile gzi(index);
    members = parse_gzi(gzi.bytes(), index.string(), file.bytes(), path.string());
  } else {
    members = walk_bgzip(file.bytes(), path.string());
    keep_beside(index, gzi_bytes(members));
  }
  return std::make_unique<BgzipText>(std::move(file), std::move(members));
}

}  // namespace longconv::data
