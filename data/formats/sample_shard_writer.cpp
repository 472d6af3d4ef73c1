#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "data/formats/packed.h"
#include "data/formats/sample_shard.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

namespace longconv::data {

namespace {

constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kBlockBytes = std::size_t{4} << 20;

}  // namespace

struct SampleShardWriter::Impl {
  Impl(const std::filesystem::path& path, const SampleLayout& wanted)
      : file(path), name(path.string()), layout(wanted) {
    file.write(std::string(kHeaderBytes, '\0'));
  }

  /// Writes, and keeps the checksum of each block.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t count = std::min(bytes.size(), kBlockBytes - in_block);
      crc = files::crc32c(bytes.first(count), crc);
      file.write(bytes.first(count));
      bytes = bytes.subspan(count);
      in_block += count;
      if (in_block == kBlockBytes) end_block();
    }
  }
  void end_block() {
    if (in_block == 0) return;
    checksums.push_back(crc);
    crc = 0;
    in_block = 0;
  }

  template <class T>
  void add(std::span<const T> values) {
    if (sizeof(T) != static_cast<std::size_t>(layout.value_bytes)) {
      throw std::logic_error("sample shard: values of another width than the layout's");
    }
    for (const T value : values) {
      LONGCONV_CHECK(value < layout.vocabulary, DataError,
                     "{}: sample {} has the value {}, the vocabulary has {}", name, layout.samples,
                     value, layout.vocabulary);
    }
    write(std::as_bytes(values));
    layout.values += static_cast<std::int64_t>(values.size());
    ends.push_back(static_cast<std::uint64_t>(layout.values));
  }

  files::AtomicFile file;
  std::string name;
  SampleLayout layout;
  std::vector<std::uint64_t> ends;
  std::vector<std::int32_t> rows;
  std::uint32_t crc = 0;
  std::size_t in_block = 0;
  std::vector<std::uint32_t> checksums;
};

SampleShardWriter::SampleShardWriter(const std::filesystem::path& path, const SampleLayout& layout)
    : impl_(std::make_unique<Impl>(path, layout)) {}
SampleShardWriter::~SampleShardWriter() = default;

void SampleShardWriter::add_part(std::span<const std::uint8_t> values) { impl_->add(values); }
void SampleShardWriter::add_part(std::span<const std::uint16_t> values) { impl_->add(values); }

void SampleShardWriter::add_row(std::span<const std::int32_t> row) {
  SampleLayout& layout = impl_->layout;
  ++layout.samples;
  if (row.size() != static_cast<std::size_t>(layout.columns) ||
      impl_->ends.size() != static_cast<std::size_t>(layout.samples * layout.parts)) {
    throw std::logic_error("sample shard: a row of another width, or a sample without its parts");
  }
  LONGCONV_CHECK(row.front() >= -1 && row.front() < layout.classes, DataError,
                 "{}: sample {} has label {}, there are {} classes", impl_->name,
                 layout.samples - 1, row.front(), layout.classes);
  impl_->rows.insert(impl_->rows.end(), row.begin(), row.end());
}

void SampleShardWriter::finish(std::string_view facts_json) {
  Impl& shard = *impl_;
  shard.write(std::as_bytes(std::span(shard.ends)));
  shard.write(std::as_bytes(std::span(shard.rows)));
  shard.write(std::as_bytes(std::span(facts_json)));
  shard.end_block();
  shard.file.write(std::as_bytes(std::span(shard.checksums)));

  const SampleLayout& layout = shard.layout;
  std::array<std::byte, 64> header{};
  std::size_t at = 0;
  const auto put = [&](auto value) {
    store(std::span(header), at, value);
    at += sizeof value;
  };
  for (const char letter : {'L', 'C', 'S', '1'}) put(letter);
  put(std::uint32_t{1});
  put(static_cast<std::uint32_t>(layout.value_bytes));
  put(static_cast<std::uint32_t>(layout.parts));
  put(static_cast<std::uint64_t>(layout.samples));
  put(static_cast<std::uint64_t>(layout.values));
  put(static_cast<std::uint32_t>(layout.vocabulary));
  put(static_cast<std::uint32_t>(layout.classes));
  put(static_cast<std::uint32_t>(layout.height));
  put(static_cast<std::uint32_t>(layout.width));
  put(static_cast<std::uint32_t>(layout.channels));
  put(static_cast<std::uint32_t>(layout.columns));
  put(static_cast<std::uint64_t>(facts_json.size()));
  shard.file.write_at(0, header);
  shard.file.commit();
}

}  // namespace longconv::data
