#include "train/evaluation/ngram.h"

#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string_view>

namespace longconv::train {
namespace {

using Ids = std::vector<std::int32_t>;
using ::testing::HasSubstr;

Ids ids_of(std::string_view text) {
  Ids ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

// The definition, word for word: every n-gram of every order in a map, p computed by recursion.
class PlainNgram {
 public:
  PlainNgram(const Ids& train, std::int64_t vocab_size, std::size_t max_order)
      : vocab_size_(vocab_size) {
    for (std::size_t i = 0; i < train.size(); ++i) {
      for (std::size_t n = 1; n <= max_order && n <= i + 1; ++n) {
        const auto last = train.begin() + static_cast<std::ptrdiff_t>(i);
        const Ids context(last - static_cast<std::ptrdiff_t>(n - 1), last);
        ++counts_[context][*last];
      }
    }
  }

  [[nodiscard]] double probability(Ids context, std::int32_t unit) const {
    double lower = 1.0 / static_cast<double>(vocab_size_);
    if (!context.empty()) lower = probability(Ids(context.begin() + 1, context.end()), unit);
    const auto seen = counts_.find(context);
    if (seen == counts_.end()) return lower;
    double total = 0.0;
    for (const auto& [word, count] : seen->second) total += count;
    const auto found = seen->second.find(unit);
    const double count = found == seen->second.end() ? 0.0 : found->second;
    const auto types = static_cast<double>(seen->second.size());
    return (count + types * lower) / (total + types);
  }

  [[nodiscard]] double bits(const Ids& text, std::size_t order) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto now = text.begin() + static_cast<std::ptrdiff_t>(i);
      const auto known = static_cast<std::ptrdiff_t>(std::min(i, order - 1));
      sum -= std::log2(probability(Ids(now - known, now), *now));
    }
    return sum;
  }

 private:
  std::int64_t vocab_size_;
  std::map<Ids, std::map<std::int32_t, int>> counts_;
};

// A sequence with structure, so that long contexts repeat.
Ids markov(std::size_t length, std::int32_t vocab_size, unsigned seed) {
  std::mt19937 generator(seed);
  Ids ids;
  std::int32_t state = 1;
  for (std::size_t i = 0; i < length; ++i) {
    state =
        generator() % 4 == 0 ? static_cast<std::int32_t>(generator()) & 0x7FFFFFFF : state * 5 + 3;
    state %= vocab_size;
    ids.push_back(state);
  }
  return ids;
}

TEST(Ngram, EqualsTheDefinition) {
  for (const std::int32_t vocab_size : {3, 40, 60'000}) {
    const Ids train = markov(700, vocab_size, 1);
    const Ids heldout = markov(150, vocab_size, 2);
    const PlainNgram plain(train, vocab_size, 6);
    const auto results = ngram_baselines(train, heldout, vocab_size, 6, 300, "subword");
    ASSERT_EQ(results.size(), 6U);
    for (std::size_t order = 1; order <= 6; ++order) {
      const double want = plain.bits(heldout, order);
      const NgramResult& got = results[order - 1];
      EXPECT_EQ(got.order, static_cast<int>(order));
      EXPECT_EQ(got.unit, "subword");
      EXPECT_NEAR(got.bits_per_byte, want / 300.0, 1e-12 * want) << vocab_size << " " << order;
      EXPECT_NEAR(got.bits_per_unit, want / 150.0, 1e-12 * want) << vocab_size << " " << order;
    }
    EXPECT_NE(results[1].bits_per_byte, results[2].bits_per_byte);
  }
}

TEST(Ngram, ByHand) {
  // "aab": c(a)=2, c(b)=1, 2 types: p1(a) = (2 + 2/4) / (3 + 2) with 4 ids.
  const NgramModel model(Ids{0, 0, 1}, 4, 2);
  EXPECT_DOUBLE_EQ(model.probability({}, 0), 0.5);
  EXPECT_DOUBLE_EQ(model.probability({}, 3), 0.1);
  // After a: a once, b once, two types: p2(b | a) = (1 + 2 p1(b)) / (2 + 2), p1(b) = 0.3.
  EXPECT_DOUBLE_EQ(model.probability(Ids{0}, 1), 0.4);
  // b ends the stream, nothing was seen after it: back off whole.
  EXPECT_DOUBLE_EQ(model.probability(Ids{1}, 0), 0.5);
  EXPECT_DOUBLE_EQ(model.bits(Ids{0, 1}).at(1), -std::log2(0.5) - std::log2(0.4));
  EXPECT_DOUBLE_EQ(model.bits(Ids{0, 1}).at(0), -std::log2(0.5) - std::log2(0.3));
}

TEST(Ngram, ProbabilitiesSumToOne) {
  const std::int32_t vocab_size = 17;
  const Ids train = markov(400, vocab_size, 3);
  const NgramModel model(train, vocab_size, 5);
  const auto check = [&](const Ids& context) {
    double sum = 0.0;
    for (std::int32_t unit = 0; unit < vocab_size; ++unit) {
      const double p = model.probability(context, unit);
      EXPECT_GT(p, 0.0);
      sum += p;
    }
    EXPECT_NEAR(sum, 1.0, 1e-12) << ::testing::PrintToString(context);
  };
  check({});
  for (std::size_t i = 0; i + 6 < train.size(); i += 7) {  // seen, up to longer than the order
    for (std::ptrdiff_t n = 1; n <= 6; ++n) {
      check(Ids(train.begin() + static_cast<std::ptrdiff_t>(i),
                train.begin() + static_cast<std::ptrdiff_t>(i) + n));
    }
  }
  for (std::ptrdiff_t n = 1; n <= 6; ++n) check(Ids(train.end() - n, train.end()));  // the end
  check({16, 16, 0, 1});
}

TEST(Ngram, AnEmptyTextPredictsUniformly) {
  const auto results = ngram_baselines({}, Ids{1, 2, 3, 0}, 4, 3, 8, "byte");
  for (const NgramResult& result : results) {
    EXPECT_DOUBLE_EQ(result.bits_per_unit, 2.0);
    EXPECT_DOUBLE_EQ(result.bits_per_byte, 1.0);
  }
}

TEST(Ngram, RefusesForeignIdsAndEmptyTexts) {
  const auto message = [](const Ids& train, const Ids& heldout) {
    return testing::message_of<DataError>(
        [&] { (void)ngram_baselines(train, heldout, 4, 2, 10, "byte"); });
  };
  EXPECT_THAT(message({0, 4}, {0}), HasSubstr("id 4 at 1 of the training stream"));
  EXPECT_THAT(message({0}, {0, 0, -1}), HasSubstr("id -1 at 2 of the held-out stream"));
  EXPECT_THAT(message({0}, {}), HasSubstr("expected a held-out text"));
  EXPECT_THAT(testing::message_of<DataError>([] { const NgramModel model(Ids{0}, 4, 0); }),
              HasSubstr("order of at least 1"));
}

// The measured reference on real text: first 90 % of the King James Bible's bytes for training, the
// rest held out.
TEST(Ngram, TheKingJamesBibleTakes1949MillibitsAtOrderSix) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      ::popen("bible gen1:1-rev22:21 2>/dev/null </dev/null", "r"), &::pclose);
  ASSERT_NE(pipe, nullptr);
  std::string text;
  std::vector<char> block(1 << 16);
  for (std::size_t n = 0; (n = std::fread(block.data(), 1, block.size(), pipe.get())) > 0;) {
    text.append(block.data(), n);
  }
  if (text.empty()) GTEST_SKIP() << "Debian's bible-kjv is not installed";
  ASSERT_EQ(text.size(), 4'298'239U);
  const Ids ids = ids_of(text);
  const std::size_t cut = ids.size() * 9 / 10;
  const auto heldout = std::span(ids).subspan(cut);
  const auto results = ngram_baselines(std::span(ids).first(cut), heldout, 256, 8,
                                       static_cast<std::int64_t>(heldout.size()), "byte");
  int best = 0;
  for (int i = 0; i < 8; ++i) {
    const auto at = [&](int k) { return results[static_cast<std::size_t>(k)].bits_per_byte; };
    if (at(i) < at(best)) best = i;
  }
  EXPECT_EQ(results[static_cast<std::size_t>(best)].order, 6);
  EXPECT_NEAR(results[5].bits_per_byte, 1.949, 5e-4);
  EXPECT_NEAR(results[0].bits_per_byte, 4.437, 5e-4);
  EXPECT_NEAR(results[1].bits_per_byte, 3.471, 5e-4);
}

}  // namespace
}  // namespace longconv::train
