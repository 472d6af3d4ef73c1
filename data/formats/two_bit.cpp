#include "data/formats/two_bit.h"

#include "core/base/check.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace longconv::data {

namespace {

constexpr std::uint32_t kSignature = 0x1A412743U;

/// The four letters of each byte.
constexpr std::array<std::array<char, 4>, 256> unpacked() {
  constexpr std::array<char, 4> kLetters = {'T', 'C', 'A', 'G'};
  std::array<std::array<char, 4>, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    for (std::size_t i = 0; i < 4; ++i) table[byte][i] = kLetters[byte >> (6 - 2 * i) & 3];
  }
  return table;
}

constexpr std::array<std::array<char, 4>, 256> kUnpacked = unpacked();

/// Bases [begin, begin + out.size()) of packed bytes, four at a time.
void unpack(const std::byte* packed, std::int64_t begin, std::span<char> out) {
  packed += begin / 4;
  if (const auto skip = static_cast<std::size_t>(begin % 4); skip > 0) {
    const auto& letters = kUnpacked[std::to_integer<std::size_t>(*packed++)];
    const std::size_t here = std::min(4 - skip, out.size());
    std::copy_n(letters.begin() + static_cast<std::ptrdiff_t>(skip), here, out.begin());
    out = out.subspan(here);
  }
  const std::size_t whole = out.size() / 4;
  for (std::size_t i = 0; i < whole; ++i) {
    std::memcpy(out.data() + 4 * i, kUnpacked[std::to_integer<std::size_t>(packed[i])].data(), 4);
  }
  out = out.subspan(4 * whole);
  if (!out.empty()) {
    std::copy_n(kUnpacked[std::to_integer<std::size_t>(packed[whole])].begin(), out.size(),
                out.begin());
  }
}

std::uint32_t load_u32(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

bool is_two_bit(std::span<const std::byte> bytes) {
  if (bytes.size() < 4) return false;
  const std::uint32_t word = load_u32(bytes, 0);
  return word == kSignature || __builtin_bswap32(word) == kSignature;
}

std::uint32_t TwoBitView::u32(std::size_t at) const {
  const std::uint32_t word = load_u32(bytes_, at);
  return swapped_ ? __builtin_bswap32(word) : word;
}

std::uint64_t TwoBitView::u64(std::size_t at) const {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes_.data() + at, sizeof word);
  return swapped_ ? __builtin_bswap64(word) : word;
}

void TwoBitView::need(std::size_t at, std::uint64_t count, std::string_view what) const {
  LONGCONV_CHECK(at <= bytes_.size() && count <= bytes_.size() - at, DataError,
                 "{}: truncated: {} of {} bytes at byte {} of {}", path_, what, count, at,
                 bytes_.size());
}

TwoBitView::TwoBitView(std::span<const std::byte> bytes, std::string path)
    : bytes_(bytes), path_(std::move(path)), unspent_(bytes.size()) {
  LONGCONV_CHECK(is_two_bit(bytes), DataError,
                 "{}: not a 2bit file: its first 4 bytes are not "
                 "1A412743, in either order",
                 path_);
  swapped_ = load_u32(bytes, 0) != kSignature;
  need(0, 16, "a header");
  const std::uint32_t version = u32(4);
  LONGCONV_CHECK(version <= 1, DataError, "{}: version {} at byte 4, expected 0 or 1", path_,
                 version);
  const std::size_t offset_bytes = version == 0 ? 4 : 8;
  const std::uint64_t count = u32(8);
  LONGCONV_CHECK(count >= 1, DataError, "{}: no sequence in it", path_);
  need(16, count * (2 + offset_bytes), fmt::format("the names of {} sequences", count));
  records_.resize(static_cast<std::size_t>(count));
  std::size_t at = 16;
  for (Record& record : records_) {
    need(at, 1, "the length of a name");
    const auto length = std::to_integer<std::size_t>(bytes_[at]);
    LONGCONV_CHECK(length > 0, DataError, "{}: a sequence without a name at byte {}", path_, at);
    need(at + 1, length + offset_bytes, "a name and its offset");
    record.name.assign(reinterpret_cast<const char*>(bytes_.data()) + at + 1, length);
    at += 1 + length;
    read_record(record, offset_bytes == 4 ? u32(at) : u64(at));
    at += offset_bytes;
  }
}

void TwoBitView::read_record(Record& record, std::uint64_t offset) {
  LONGCONV_CHECK(offset >= 16 && offset < bytes_.size(), DataError,
                 "{}: the record of {} is said to be at byte {} of {}", path_, record.name, offset,
                 bytes_.size());
  auto at = static_cast<std::size_t>(offset);
  need(at, 4, "a number of bases");
  record.bases = u32(at);
  LONGCONV_CHECK(record.bases >= 1, DataError, "{}: {} has no bases (byte {})", path_, record.name,
                 at);
  at += 4;
  record.unknown = read_runs(at, record, "runs of N");
  record.masked = read_runs(at, record, "masked runs");
  need(at, 4, "a reserved word");
  at += 4;
  const std::size_t packed = (static_cast<std::size_t>(record.bases) + 3) / 4;
  need(at, packed, fmt::format("the bases of {}", record.name));
  spend(packed, record);
  record.packed = at;
}

void TwoBitView::spend(std::size_t count, const Record& record) {
  LONGCONV_CHECK(count <= unspent_, DataError,
                 "{}: the records up to that of {} have more bytes than the file: they overlap",
                 path_, record.name);
  unspent_ -= count;
}

TwoBitView::Runs TwoBitView::read_runs(std::size_t& at, const Record& record,
                                       std::string_view what) {
  need(at, 4, what);
  Runs runs{u32(at), at + 4};
  need(runs.at, std::uint64_t{8} * runs.count, what);
  spend(8 * runs.count + 4, record);
  std::uint64_t end = 0;  // of the run before
  for (std::size_t i = 0; i < runs.count; ++i) {
    const std::uint64_t start = u32(runs.at + 4 * i);
    const std::uint64_t size = u32(runs.at + 4 * (runs.count + i));
    LONGCONV_CHECK(
        start >= end && start + size <= static_cast<std::uint64_t>(record.bases), DataError,
        "{}: {} of {}: number {} is [{}, {}) (byte {}), behind {} and in a sequence of {}", path_,
        what, record.name, i + 1, start, start + size, runs.at + 4 * i, end, record.bases);
    end = start + size;
  }
  at = runs.at + 8 * runs.count;
  return runs;
}

/// act(from, to) for what of each run lies in [begin, end), counted from begin.
template <class Act>
void TwoBitView::for_runs(const Runs& runs, std::int64_t begin, std::int64_t end,
                          const Act& act) const {
  const auto start = [&](std::size_t i) { return std::int64_t{u32(runs.at + 4 * i)}; };
  const auto size = [&](std::size_t i) {
    return std::int64_t{u32(runs.at + 4 * (runs.count + i))};
  };
  // The first run that ends behind `begin`.
  std::size_t low = 0;
  for (std::size_t high = runs.count; low < high;) {
    const std::size_t middle = low + (high - low) / 2;
    if (start(middle) + size(middle) > begin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  for (; low < runs.count && start(low) < end; ++low) {
    const std::int64_t from = std::max(start(low), begin);
    const std::int64_t to = std::min(start(low) + size(low), end);
    if (from < to) {
      act(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(to - from));
    }
  }
}

void TwoBitView::read(std::size_t i, std::int64_t begin, std::span<char> out) const {
  const Record& record = records_[i];
  const std::int64_t end = begin + static_cast<std::int64_t>(out.size());
  unpack(bytes_.data() + record.packed, begin, out);
  for_runs(record.unknown, begin, end, [&](std::size_t from, std::size_t count) {
    std::memset(out.data() + from, 'N', count);
  });
  for_runs(record.masked, begin, end, [&](std::size_t from, std::size_t count) {
    for (char& base : out.subspan(from, count)) base = static_cast<char>(base | 0x20);
  });
}

TwoBitGenome::TwoBitGenome(files::MappedFile file)
    : Genome(file.path().string()), file_(std::move(file)), view_(file_.bytes(), path()) {
  file_.advise_random();
  std::vector<Sequence> sequences;
  for (std::size_t i = 0; i < view_.size(); ++i) {
    sequences.push_back({view_.name(i), view_.length(i)});
  }
  set_sequences(std::move(sequences));
}

void TwoBitGenome::read_checked(std::int64_t sequence, std::int64_t begin,
                                std::span<char> out) const {
  view_.read(static_cast<std::size_t>(sequence), begin, out);
}

}  // namespace longconv::data
