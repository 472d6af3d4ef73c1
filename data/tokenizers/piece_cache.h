// The ids of short pieces met before: a table of fixed size in which a new piece takes the place of
// an old one. Words repeat so much that it hardly matters which.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace longconv::data {

class PieceCache {
 public:
  static constexpr std::size_t kMaxBytes = 24;  ///< longer pieces are not kept
  static constexpr std::size_t kMaxIds = 9;     ///< nor those of more ids

  /// A piece of 1 to kMaxBytes bytes, as words.
  struct Key {
    std::array<std::uint64_t, 3> words{};
    std::uint8_t length = 0;
  };
  /// `text` from `begin` on; what lies behind the piece is read, too, if the text goes on.
  static Key key(std::string_view text, std::size_t begin, std::size_t length) {
    Key key;
    key.length = static_cast<std::uint8_t>(length);
    if (begin + kMaxBytes <= text.size()) {
      // Three whole words, cut afterwards: copies of a length known only now cost more.
      std::memcpy(key.words.data(), text.data() + begin, kMaxBytes);
      for (std::size_t i = 0; i < key.words.size(); ++i) {
        const std::size_t kept = length > 8 * i ? length - 8 * i : 0;
        if (kept < 8) key.words[i] &= (std::uint64_t{1} << (8 * kept)) - 1;
      }
    } else {
      std::memcpy(key.words.data(), text.data() + begin, length);
    }
    return key;
  }

  /// Its ids, or an empty span.
  [[nodiscard]] std::span<const std::int32_t> find(const Key& key) const {
    const Entry& entry = entries_[slot(key)];
    if (entry.length != key.length || entry.words != key.words) return {};
    return {entry.ids.data(), entry.count};
  }
  void put(const Key& key, std::span<const std::int32_t> ids) {
    if (ids.size() > kMaxIds) return;
    Entry& entry = entries_[slot(key)];
    entry.words = key.words;
    entry.length = key.length;
    entry.count = static_cast<std::uint8_t>(ids.size());
    std::memcpy(entry.ids.data(), ids.data(), ids.size_bytes());
  }

 private:
  static constexpr int kSlotBits = 15;  // 2 MiB in all

  struct alignas(64) Entry {
    std::array<std::uint64_t, 3> words{};
    std::array<std::int32_t, kMaxIds> ids{};
    std::uint8_t length = 0;  // 0: free
    std::uint8_t count = 0;
  };
  static_assert(sizeof(Entry) == 64, "one cache line");

  static std::size_t slot(const Key& key) {
    std::uint64_t hash = key.words[0] ^ (key.words[1] * 0xC2B2AE3D27D4EB4FULL) ^
                         (key.words[2] * 0x165667B19E3779F9ULL) ^ key.length;
    hash ^= hash >> 32;
    return static_cast<std::size_t>((hash * 0x9E3779B97F4A7C15ULL) >> (64 - kSlotBits));
  }

  std::vector<Entry> entries_ = std::vector<Entry>(std::size_t{1} << kSlotBits);
};

}  // namespace longconv::data
