#include "data/tasks/image_batch.h"

#include "core/base/check.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

namespace longconv::data {

Batch image_batch(const PixelTransform& transform, std::span<const std::int64_t> indices,
                  std::span<const std::int64_t> members, const FillImage& fill) {
  const auto batch = static_cast<std::int64_t>(indices.size());
  const std::int64_t length = transform.length();
  Batch out;
  out.target = at::empty({batch}, at::kLong);
  out.input = transform.tokens() ? at::empty({batch, length}, at::kLong)
                                 : at::empty({batch, length, transform.channels()}, at::kFloat);
  auto* target = out.target.mutable_data_ptr<std::int64_t>();
  const auto each = static_cast<std::size_t>(length * transform.channels());
  std::vector<std::int64_t> levels;
  std::size_t at = 0;
  for (const std::int64_t index : indices) {
    LONGCONV_CHECK(index >= 0 && index < static_cast<std::int64_t>(members.size()), DataError,
                   "image {} asked for, there are {}", index, members.size());
    *target++ = fill(members[static_cast<std::size_t>(index)], levels);
    if (transform.tokens()) {
      transform.to_tokens(levels, {out.input.mutable_data_ptr<std::int64_t>() + at, each});
    } else {
      transform.to_floats(levels, {out.input.mutable_data_ptr<float>() + at, each});
    }
    at += each;
  }
  return out;
}

}  // namespace longconv::data
