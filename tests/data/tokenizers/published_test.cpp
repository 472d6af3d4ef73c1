// GPT-2's and BERT's own vocabularies, against ids of the reference implementations
// (data.md 4.6, 6.4). Skipped where scripts/vocabularies has not run.
#include "core/base/error.h"
#include "data/tokenizers/tokenizer.h"
#include "tests/data/jargon.h"

#include <gmock/gmock.h>

#include <numeric>
#include <sstream>
#include <thread>

namespace longconv::data {
namespace {

struct Golden {
  const char* tokenizer;
  const char* text;
  const char* ids;
};

constexpr Golden kGolden[] = {
    {"gpt2", "Hello world", "15496 995"},
    {"gpt2", "Hello, world!", "15496 11 995 0"},
    {"gpt2", "  two  spaces", "220 734 220 9029"},
    {"gpt2", "don't you're I'LL", "9099 470 345 821 314 6 3069"},
    {"gpt2", "na\u00efve caf\u00e9", "2616 38776 40304"},
    {"gpt2", "\u65e5\u672c\u8a9e test", "33768 98 17312 105 45739 252 1332"},
    {"gpt2", "a\nb\n\nc  ", "64 198 65 198 198 66 220 220"},
    {"gpt2", "x = 3.14159;\n\tif (x>2) return;",
     "87 796 513 13 1415 19707 26 198 197 361 357 87 29 17 8 1441 26"},
    {"gpt2", "\U0001F600", "47249 222"},
    {"gpt2", "\u00a0nbsp", "1849 77 24145"},
    {"gpt2", "The 1,234,567 dogs' bones", "464 352 11 24409 11 20 3134 6844 6 11945"},
    {"gpt2", "ACGTNNNNacgt", "2246 19555 6144 6144 330 13655"},
    {"gpt2", "'s 'S", "338 705 50"},
    {"gpt2", "a<|endoftext|>b", "64 50256 65"},
    {"bert", "Hello, World!", "7592 1010 2088 999"},
    {"bert", "unaffable", "14477 20961 3468"},
    {"bert", "Na\u00efve caf\u00e9 r\u00e9sum\u00e9", "15743 7668 13746"},
    {"bert", "\u65e5\u672c\u8a9e test", "1864 1876 1950 3231"},
    {"bert", "don't", "2123 1005 1056"},
    {"bert", "$100.50", "1002 2531 1012 2753"},
    {"bert", "\u00c5ngstr\u00f6m \u0130stanbul", "17076 15687 9960"},
    {"bert",
     "foo\u200b"
     "bar",
     "29379 8237"},
    {"bert", "\u2019quoted\u2019", "1521 9339 1521"},
    {"bert", "GATTACA transformers", "11721 5946 3540 19081"},
    {"bert", "x\u3000y", "1060 1061"},
    {"bert", "tokenization 2023-11-13", "19204 3989 16798 2509 1011 2340 1011 2410"},
    {"bert", "Stra\u00dfe \ufb01ne", "2358 27807 1984 2638"},
    {"bert", "a[MASK]b", "1037 103 1038"},
};

class Published : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    try {
      tokenizer_ = open_tokenizer(GetParam());
    } catch (const EnvironmentError& error) {
      GTEST_SKIP() << error.what();
    }
  }
  std::shared_ptr<const Tokenizer> tokenizer_;  // NOLINT: a fixture's
};

TEST_P(Published, GivesTheIdsOfTheReference) {
  int count = 0;
  for (const Golden& golden : kGolden) {
    if (golden.tokenizer != std::string(GetParam())) continue;
    std::ostringstream ids;
    for (const std::int32_t id : tokenizer_->encode(golden.text)) {
      ids << (ids.tellp() > 0 ? " " : "") << id;
    }
    EXPECT_EQ(ids.str(), golden.ids) << golden.text;
    ++count;
  }
  EXPECT_GE(count, 14);
}

TEST_P(Published, GivesTheSumsOfTheReferenceOnRealText) {
  const std::string jargon = test::jargon_file();
  if (jargon.empty()) GTEST_SKIP() << test::kJargonPath << " is not there: install jargon-text";
  const auto ids = tokenizer_->encode(std::string_view(jargon).substr(0, 429'909));
  const bool gpt2 = GetParam() == std::string("gpt2");
  EXPECT_EQ(ids.size(), gpt2 ? 125'570U : 87'981U);
  EXPECT_EQ(std::accumulate(ids.begin(), ids.end(), std::int64_t{0}),
            gpt2 ? 540'802'158 : 432'735'012);
}

TEST_P(Published, ServesManyThreads) {
  const std::string text = "Many threads, na\u00efve ones too, share 1 cache each: don't worry. ";
  const auto want = tokenizer_->encode(text);
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) count += tokenizer_->encode(text) == want ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

INSTANTIATE_TEST_SUITE_P(Names, Published, ::testing::Values("gpt2", "bert"));

using Gpt2 = Published;

TEST_P(Gpt2, HasThePublishedVocabulary) {
  EXPECT_EQ(tokenizer_->vocab_size(), 50'257);
  EXPECT_EQ(tokenizer_->eos_id(), 50'256);
  EXPECT_EQ(tokenizer_->decode({50'256, 15'496}), "<|endoftext|>Hello");
}

TEST_P(Gpt2, DecodesIdsThatAreNoUtf8ToTheirBytes) {
  EXPECT_EQ(tokenizer_->decode({47'249}), "\xF0\x9F\x98");  // all but the last byte of U+1F600
  EXPECT_EQ(tokenizer_->decode({222}), "\x80");
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(255 - i);
  EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(every_byte)), every_byte);
}

INSTANTIATE_TEST_SUITE_P(Name, Gpt2, ::testing::Values("gpt2"));

}  // namespace
}  // namespace longconv::data
