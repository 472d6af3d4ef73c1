#include "train/evaluation/ngram.h"

#include "core/base/check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace longconv::train {
namespace {

using NodeId = std::uint32_t;
constexpr NodeId kRoot = 0;                                      // the empty n-gram
constexpr NodeId kMissing = std::numeric_limits<NodeId>::max();  // an n-gram never seen
constexpr std::uint64_t kEmptyKey = std::numeric_limits<std::uint64_t>::max();

// An n-gram is a node of a trie: its first n-1 units' node, then its last unit. The pair is the
// key, so that any vocabulary and order fit and no two n-grams are ever confused.
std::uint64_t key_of(NodeId context, std::int32_t unit) {
  return std::uint64_t{context} << 32U | static_cast<std::uint32_t>(unit);
}

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): keys are nearly consecutive numbers.
std::uint64_t mix(std::uint64_t key) {
  key = (key ^ (key >> 30U)) * 0xbf58476d1ce4e5b9U;
  key = (key ^ (key >> 27U)) * 0x94d049bb133111ebU;
  return key ^ (key >> 31U);
}

struct Slot {
  std::uint64_t key = kEmptyKey;
  NodeId id = kMissing;
  std::uint32_t count = 0;  // c(hw); beside the key, so that counting costs one cache miss
};

// Open addressing with linear probing, at most 5/8 full.
class Table {
 public:
  Table() : slots_(std::size_t{1} << 12U) {}

  void prefetch(std::uint64_t key) const { __builtin_prefetch(&slots_[home(key)], 1); }

  /// The key's slot, or the empty one where it belongs.
  [[nodiscard]] const Slot& find(std::uint64_t key) const {
    std::size_t at = home(key);
    while (slots_[at].key != key && slots_[at].key != kEmptyKey)
      at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }
  Slot& find(std::uint64_t key) { return const_cast<Slot&>(std::as_const(*this).find(key)); }

  /// Call before filling an empty slot; true if the table grew and slots have to be found again.
  bool reserve_one() {
    if (++used_ * 8 <= slots_.size() * 5) return false;
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.key != kEmptyKey) find(slot.key) = slot;
    }
    return true;
  }

 private:
  [[nodiscard]] std::size_t home(std::uint64_t key) const { return mix(key) & (slots_.size() - 1); }
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

void check_ids(std::span<const std::int32_t> ids, std::int64_t vocab_size, const char* what) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    LONGCONV_CHECK(ids[i] >= 0 && ids[i] < vocab_size, DataError,
                   "n-gram baseline: id {} at {} of the {} stream, but the vocabulary has {} ids; "
                   "were they made by another tokenizer?",
                   ids[i], i, what, vocab_size);
  }
}

}  // namespace

struct NgramModel::Impl {
  // A context on the way through a text: its node and how often it was seen, followed or not.
  struct Context {
    NodeId id = kMissing;
    std::uint32_t count = 0;
  };

  std::int64_t vocab_size;
  int max_order;
  Table table;
  std::vector<std::uint32_t> types;  // by node: distinct units after it
  std::vector<NodeId> last;          // by length: the training stream's end, which nothing follows
  std::uint32_t trained = 0;         // units

  Impl(std::int64_t vocabulary, int order) : vocab_size(vocabulary), max_order(order) {}

  void count(std::span<const std::int32_t> text) {
    types.assign(1, 0);
    const auto orders = static_cast<std::size_t>(max_order);
    last.assign(orders, kMissing);
    last[0] = kRoot;
    std::size_t contexts = 1;  // lengths 0 .. contexts-1 exist
    for (const std::int32_t unit : text) {
      for (std::size_t k = 0; k < contexts; ++k) table.prefetch(key_of(last[k], unit));
      // From the longest down: extending the context of length k gives the one of length k + 1.
      for (std::size_t k = contexts; k-- > 0;) {
        const NodeId node = add(last[k], unit);
        if (k + 1 < orders) last[k + 1] = node;
      }
      if (contexts < orders) ++contexts;
    }
    trained = static_cast<std::uint32_t>(text.size());
  }

  NodeId add(NodeId context, std::int32_t unit) {
    const std::uint64_t key = key_of(context, unit);
    Slot* slot = &table.find(key);
    if (slot->key == kEmptyKey) {
      if (table.reserve_one()) slot = &table.find(key);
      LONGCONV_CHECK(types.size() < kMissing, DataError,
                     "n-gram baseline: more than {} distinct n-grams; use a smaller order or text",
                     kMissing - 1);
      *slot = {key, static_cast<NodeId>(types.size()), 0};
      types.push_back(0);
      ++types[context];
    }
    ++slot->count;
    return slot->id;
  }

  [[nodiscard]] Slot lookup(NodeId context, std::int32_t unit) const {
    return context == kMissing ? Slot{} : table.find(key_of(context, unit));
  }

  // p_{k+1} from p_k, the context of length k and the n-gram that ends in the predicted unit.
  [[nodiscard]] double interpolate(const Context& context, std::size_t k, const Slot& ngram,
                                   double lower) const {
    if (context.id == kMissing) return lower;
    const double followed = context.count - (last[k] == context.id && k > 0 ? 1.0 : 0.0);
    if (followed == 0.0) return lower;
    const double distinct = types[context.id];
    return (ngram.count + distinct * lower) / (followed + distinct);
  }

  [[nodiscard]] Context root() const { return {kRoot, trained}; }
  [[nodiscard]] double uniform() const { return 1.0 / static_cast<double>(vocab_size); }
};

NgramModel::NgramModel(std::span<const std::int32_t> train, std::int64_t vocab_size,
                       int max_order) {
  LONGCONV_CHECK(vocab_size > 0 && max_order > 0, DataError,
                 "n-gram baseline: expected a vocabulary and an order of at least 1, got {} and {}",
                 vocab_size, max_order);
  LONGCONV_CHECK(train.size() < kMissing, DataError,
                 "n-gram baseline: {} units are too many to count (limit {}); use a smaller text",
                 train.size(), kMissing);
  check_ids(train, vocab_size, "training");
  impl_ = std::make_unique<Impl>(vocab_size, max_order);
  impl_->count(train);
}

NgramModel::~NgramModel() = default;

std::vector<double> NgramModel::bits(std::span<const std::int32_t> text) const {
  check_ids(text, impl_->vocab_size, "held-out");
  const auto orders = static_cast<std::size_t>(impl_->max_order);
  std::vector<double> sums(orders, 0.0);
  std::vector<Impl::Context> contexts(orders);  // by length
  std::vector<Impl::Context> next(orders);
  contexts[0] = next[0] = impl_->root();
  for (const std::int32_t unit : text) {
    double probability = impl_->uniform();
    for (std::size_t k = 0; k < orders; ++k) {
      const Slot ngram = impl_->lookup(contexts[k].id, unit);
      probability = impl_->interpolate(contexts[k], k, ngram, probability);
      sums[k] -= std::log2(probability);
      if (k + 1 < orders) next[k + 1] = {ngram.id, ngram.count};
    }
    contexts.swap(next);
  }
  return sums;
}

double NgramModel::probability(std::span<const std::int32_t> context, std::int32_t unit) const {
  check_ids(context, impl_->vocab_size, "context");
  check_ids({&unit, 1}, impl_->vocab_size, "predicted");
  double result = impl_->uniform();
  const auto longest = std::min(context.size(), static_cast<std::size_t>(impl_->max_order) - 1);
  for (std::size_t k = 0; k <= longest; ++k) {
    Impl::Context now = impl_->root();
    for (const std::int32_t id : context.last(k)) {
      const Slot slot = impl_->lookup(now.id, id);
      now = {slot.id, slot.count};
    }
    result = impl_->interpolate(now, k, impl_->lookup(now.id, unit), result);
  }
  return result;
}

std::vector<NgramResult> ngram_baselines(std::span<const std::int32_t> train,
                                         std::span<const std::int32_t> heldout,
                                         std::int64_t vocab_size, int max_order,
                                         std::int64_t heldout_bytes, const std::string& unit) {
  LONGCONV_CHECK(!heldout.empty() && heldout_bytes > 0, DataError,
                 "n-gram baseline: expected a held-out text, got {} units of {} bytes",
                 heldout.size(), heldout_bytes);
  const std::vector<double> bits = NgramModel(train, vocab_size, max_order).bits(heldout);
  std::vector<NgramResult> results;
  for (std::size_t k = 0; k < bits.size(); ++k) {
    results.push_back({unit, static_cast<int>(k) + 1, bits[k] / static_cast<double>(heldout_bytes),
                       bits[k] / static_cast<double>(heldout.size())});
  }
  return results;
}

}  // namespace longconv::train
