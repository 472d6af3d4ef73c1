// UCSC's 2bit (data.md 7.3), in either byte order:
//
//   u32 signature 0x1A412743, u32 version (0; 1 = 64-bit offsets), u32 sequences, u32 reserved
//   per sequence: u8 length of the name, name, u32 or u64 offset of its record
//   record: u32 bases, u32 runs of N, their starts, their sizes, u32 masked runs, their starts,
//           their sizes, u32 reserved, packed bases: 4 a byte, the first in the top bits,
//           T 0, C 1, A 2, G 3
//
// Runs of N lie over the packed bases; masked runs are lower case.
#pragma once

#include "core/files/mapped_file.h"
#include "data/formats/genome.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace longconv::data {

bool is_two_bit(std::span<const std::byte> bytes);

/// The bytes of a 2bit file, checked: every size against the file, runs in order and inside their
/// sequence.
class TwoBitView {
 public:
  /// Throws DataError with `path` and offset. `bytes` must outlive the view.
  TwoBitView(std::span<const std::byte> bytes, std::string path);
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] const std::string& name(std::size_t i) const { return records_[i].name; }
  [[nodiscard]] std::int64_t length(std::size_t i) const { return records_[i].bases; }
  /// Bases [begin, begin + out.size()), which must lie in the sequence.
  void read(std::size_t i, std::int64_t begin, std::span<char> out) const;

 private:
  /// Runs of one kind: `count` starts, then as many sizes, u32 each.
  struct Runs {
    std::size_t count = 0;
    std::size_t at = 0;
  };
  struct Record {
    std::string name;
    std::int64_t bases = 0;
    Runs unknown;
    Runs masked;
    std::size_t packed = 0;
  };
  [[nodiscard]] std::uint32_t u32(std::size_t at) const;
  [[nodiscard]] std::uint64_t u64(std::size_t at) const;
  void need(std::size_t at, std::uint64_t count, std::string_view what) const;
  void read_record(Record& record, std::uint64_t offset);
  [[nodiscard]] Runs read_runs(std::size_t& at, const Record& record, std::string_view what);
  /// Counts bytes of records, which together are no more than the file: a small file cannot make
  /// the same runs be checked again and again.
  void spend(std::size_t count, const Record& record);
  template <class Act>
  void for_runs(const Runs& runs, std::int64_t begin, std::int64_t end, const Act& act) const;

  std::span<const std::byte> bytes_;
  std::string path_;
  std::size_t unspent_;
  bool swapped_ = false;
  std::vector<Record> records_;
};

class TwoBitGenome final : public Genome {
 public:
  explicit TwoBitGenome(files::MappedFile file);

 private:
  void read_checked(std::int64_t sequence, std::int64_t begin, std::span<char> out) const override;
  files::MappedFile file_;
  TwoBitView view_;
};

}  // namespace longconv::data
