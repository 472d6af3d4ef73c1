#include "data/tasks/masking.h"

#include "data/tasks/counter_random.h"

namespace longconv::data {

void mask_tokens(std::span<std::int64_t> ids, std::span<std::int64_t> labels, double share,
                 std::uint64_t key, const BertSpecials& specials, std::int64_t vocab_size) {
  CounterRandom random(key, /*item=*/0);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::int64_t id = ids[i];
    labels[i] = kNoLabel;
    const bool special = id == specials.pad || id == specials.unk || id == specials.cls ||
                         id == specials.sep || id == specials.mask;
    if (special || random.uniform() >= share) continue;
    labels[i] = id;
    const double kind = random.uniform();
    if (kind < 0.8) {
      ids[i] = specials.mask;
    } else if (kind < 0.9) {
      ids[i] = random.below(static_cast<std::uint32_t>(vocab_size));
    }
  }
}

}  // namespace longconv::data
