#include "data/formats/cifar_file.h"

#include "core/base/check.h"

namespace longconv::data {

namespace {

constexpr std::size_t kPlane = std::size_t{kCifarSide} * kCifarSide;
constexpr std::size_t kRecord = 1 + 3 * kPlane;

}  // namespace

int CifarBatch::label(std::int64_t record) const {
  return std::to_integer<int>(bytes[static_cast<std::size_t>(record) * kRecord]);
}

std::vector<std::uint8_t> CifarBatch::colours(std::int64_t record) const {
  const auto planes = bytes.subspan(static_cast<std::size_t>(record) * kRecord + 1, 3 * kPlane);
  std::vector<std::uint8_t> out(3 * kPlane);
  for (std::size_t pixel = 0; pixel < kPlane; ++pixel) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      out[3 * pixel + channel] = std::to_integer<std::uint8_t>(planes[channel * kPlane + pixel]);
    }
  }
  return out;
}

CifarBatch parse_cifar(std::span<const std::byte> bytes, const std::string& path) {
  LONGCONV_CHECK(
      !bytes.empty() && bytes.size() % kRecord == 0, DataError,
      "{}: {} bytes, expected records of {}: the file is truncated or no binary CIFAR-10 "
      "batch",
      path, bytes.size(), kRecord);
  CifarBatch batch{bytes, static_cast<std::int64_t>(bytes.size() / kRecord)};
  for (std::int64_t record = 0; record < batch.records; ++record) {
    LONGCONV_CHECK(batch.label(record) <= 9, DataError, "{}: label {} at byte {}, expected 0 to 9",
                   path, batch.label(record), static_cast<std::size_t>(record) * kRecord);
  }
  return batch;
}

}  // namespace longconv::data
