#include "data/tokenizers/tokenizer.h"

#include "data/tokenizers/bytes.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/lra.h"
#include "data/tokenizers/sentencepiece.h"
#include "tests/data/helpers.h"
#include "tests/data/jargon.h"
#include "tests/data/tokenizers/small_bpe.h"

#include <gmock/gmock.h>

#include <chrono>
#include <random>
#include <set>
#include <thread>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Text with a few hundred different words, enough for a vocabulary of 400.
std::string training_text() {
  std::string text;
  std::mt19937 random(1);
  const char* stems[] = {"long",  "short", "con",   "vol",   "ution", "filter", "gate", "order",
                         "hyena", "state", "space", "model", "fast",  "trans",  "form"};
  for (int line = 0; line < 400; ++line) {
    for (int word = 0; word < 8; ++word) {
      text += stems[random() % 15];
      text += stems[random() % 15];
      text += word == 7 ? "\n" : " ";
    }
  }
  return text;
}

/// Trained once for all tests of this file.
const Tokenizer& trained(const std::string& model) {
  static const auto unigram = train_sentencepiece({"unigram", 400}, training_text());
  static const auto bpe = train_sentencepiece({"bpe", 400}, training_text());
  static const auto characters = train_sentencepiece({"char", 400}, training_text());
  return model == "unigram" ? *unigram : model == "bpe" ? *bpe : *characters;
}

std::string long_line(const std::string& word, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += word;
  return out;
}

std::vector<std::string> awkward_texts() {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  return {""s,
          "\n"s,
          "\n\n\n"s,
          " "s,
          "  long   filter  "s,
          "\tlong\t\tfilter\n\t"s,
          "long filter\r\nshort gate\r\n"s,
          "nul \0 inside"s,
          "\U0001F600 \U0001F468\u200D\U0001F469 e\u0301 \u00e9 \u2028 \u0085"s,
          "\u2581 and \u2581long\u2581filter \u2581"s,
          "<0x41><s></s><unk><pad> <0x0A>"s,
          "\xEF\xBF\xBD and \xEF\xBB\xBF"s,
          "na\xefve \xff\xfe\xc3"s,
          "\xe2\x96"s,
          "\xe2\x96\x81\xe2\x96"s,
          every_byte,
          long_line("hyena filter ", 200'000),
          long_line("x", 150'001),
          long_line("\U0001F600", 140'000),
          long_line("\xff", 70'000)};
}

class EveryTokenizer : public ::testing::TestWithParam<const char*> {
 protected:
  const Tokenizer& tokenizer() {
    static const ByteTokenizer bytes;
    static const LraByteTokenizer lra;
    static const auto pairs = make_bpe(test::small_vocabulary(
        {{"l", "o"}, {"n", "g"}, {"lo", "ng"}, {"\u0120", "f"}, {"\u010a", "\u010a"}, {"x", "x"}}));
    if (GetParam() == "bytes"s) return bytes;
    if (GetParam() == "lra_bytes"s) return lra;
    return GetParam() == "byte-level bpe"s ? *pairs : trained(GetParam());
  }
};

TEST_P(EveryTokenizer, GivesBackEveryStringOfBytes) {
  for (const std::string& text : awkward_texts()) {
    const auto ids = tokenizer().encode(text);
    for (const std::int32_t id : ids) {
      ASSERT_TRUE(id >= 0 && id < tokenizer().vocab_size() && id != tokenizer().eos_id());
    }
    EXPECT_TRUE(tokenizer().decode(ids) == text) << text.substr(0, 40);
  }
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    std::string text(random() % 300, '\0');
    const int kind = i % 2;  // arbitrary bytes, or mostly letters, spaces and newlines
    for (char& byte : text) {
      byte = static_cast<char>(kind == 0 ? random() % 256
                                         : "long filter\n\t\xe2\x96\x81"[random() % 15]);
    }
    EXPECT_TRUE(tokenizer().decode(tokenizer().encode(text)) == text) << i;
  }
}

TEST_P(EveryTokenizer, SkipsEosAndRefusesUnknownIds) {
  if (tokenizer().eos_id() >= 0) {
    auto ids = tokenizer().encode("long filter");
    ids.push_back(static_cast<std::int32_t>(tokenizer().eos_id()));
    const bool has_text = GetParam() == "byte-level bpe"s;  // GPT-2's may stand in a text
    EXPECT_EQ(tokenizer().decode(ids), has_text ? "long filter<|endoftext|>" : "long filter");
  }
  const auto beyond = static_cast<std::int32_t>(tokenizer().vocab_size());
  EXPECT_THAT(message_of<DataError>([&] {
                (void)tokenizer().decode({1, beyond});
              }),
              HasSubstr("id " + std::to_string(beyond) + " at position 1"));
  EXPECT_THROW((void)tokenizer().decode({-1}), DataError);
}

TEST_P(EveryTokenizer, IsTheSameAfterSaveAndOpen) {
  const test::ScratchFolder folder;
  tokenizer().save(folder / "tokenizer");
  const auto opened = open_tokenizer((folder / "tokenizer").string());
  EXPECT_EQ(opened->fingerprint(), tokenizer().fingerprint());
  EXPECT_EQ(opened->describe(), tokenizer().describe());
  EXPECT_EQ(opened->vocab_size(), tokenizer().vocab_size());
  EXPECT_EQ(opened->eos_id(), tokenizer().eos_id());
  const std::string text = "long filter\n\u00e9";
  EXPECT_EQ(opened->encode(text), tokenizer().encode(text));
}

INSTANTIATE_TEST_SUITE_P(All, EveryTokenizer,
                         ::testing::Values("bytes", "lra_bytes", "byte-level bpe", "unigram", "bpe",
                                           "char"));

TEST(ByteTokenizer, HasTheBytesAndEos) {
  const ByteTokenizer tokenizer;
  EXPECT_THAT(tokenizer.encode("a\xff"), ElementsAre(97, 255));
  EXPECT_EQ(tokenizer.vocab_size(), 257);
  EXPECT_EQ(tokenizer.eos_id(), 256);
}

TEST(SentencePiece, HasTheIdsOfTheSpecification) {
  for (const char* model : {"unigram", "bpe"}) {
    const Tokenizer& tokenizer = trained(model);
    EXPECT_EQ(tokenizer.vocab_size(), 400) << model;
    EXPECT_EQ(tokenizer.eos_id(), 3);
    EXPECT_THAT(tokenizer.encode("\n\n"), ElementsAre(4, 4));                // a symbol of its own
    EXPECT_THAT(tokenizer.encode("\x01\xff"), ElementsAre(5 + 1, 5 + 255));  // byte pieces
    EXPECT_EQ(tokenizer.decode({0, 2, 3}), "");
    EXPECT_EQ(tokenizer.describe(), "sentencepiece "s + model + ", 400 ids");
    // It has learnt something: 6,000 words in far fewer ids than letters.
    const std::string text = training_text();
    EXPECT_LT(tokenizer.encode(text).size(), text.size() / 3);
  }
  EXPECT_LT(trained("char").vocab_size(), 400);
  EXPECT_EQ(trained("char").encode("long filter").size(), 11U);
}

TEST(SentencePiece, EncodesATextAsItsLinesAndALongLineAsItsParts) {
  for (const char* model : {"unigram", "bpe", "char"}) {
    const Tokenizer& tokenizer = trained(model);
    const std::string a = "hyenafilter  longgate";
    const std::string b = "\tmodelspace fastform ";
    auto want = tokenizer.encode(a);
    want.push_back(4);
    const auto second = tokenizer.encode(b);
    want.insert(want.end(), second.begin(), second.end());
    EXPECT_EQ(tokenizer.encode(a + "\n" + b), want) << model;

    // 7 bytes a word: the cut lies before the last space within 65,536 bytes.
    const std::string line = long_line(" filter", 7 * 20'000);
    const auto word = tokenizer.encode(" filter");
    const auto ids = tokenizer.encode(line);
    ASSERT_EQ(ids.size(), 20'000 * word.size());
    for (std::size_t i = 0; i < ids.size(); ++i) ASSERT_EQ(ids[i], word[i % word.size()]) << i;
  }
}

TEST(SentencePiece, TrainsTheSameModelAgainAndAnotherFromOtherText) {
  const auto again = train_sentencepiece({"unigram", 400}, training_text());
  EXPECT_EQ(again->fingerprint(), trained("unigram").fingerprint());
  const auto other = train_sentencepiece({"unigram", 400}, training_text() + "zebra zebra zebra\n");
  EXPECT_NE(other->fingerprint(), trained("unigram").fingerprint());
  EXPECT_NE(trained("bpe").fingerprint(), trained("unigram").fingerprint());
}

TEST(SentencePiece, LearnsFromLinesAboveTheLibrarysUsualLimit) {
  // By default lines above 4192 bytes are left out without a word.
  std::string line = training_text();
  std::replace(line.begin(), line.end(), '\n', ' ');
  const auto tokenizer = train_sentencepiece({"unigram", 300}, line);
  EXPECT_LT(tokenizer->encode(line).size(), line.size() / 2);
}

TEST(SentencePiece, ExplainsWhatItCannotTrain) {
  const auto message = [](const SentencePieceOptions& options, const std::string& text) {
    return message_of<DataError>([&] { train_sentencepiece(options, text); });
  };
  EXPECT_THAT(message({"unigram", 5000}, "too little text"),
              HasSubstr("tokenizer unigram:5000: SentencePiece cannot train it"));
  EXPECT_THAT(message({"unigram", 261}, "text"), HasSubstr("expected more than 261"));
  EXPECT_THAT(message({"unigram", 400}, "\n\n"), HasSubstr("no text"));
  EXPECT_THAT(message({"wordpiece", 400}, "text"), HasSubstr("expected unigram, bpe or char"));
}

TEST(SentencePiece, ServesManyThreads) {
  const Tokenizer& tokenizer = trained("unigram");
  const std::string text = training_text().substr(0, 20'000) + "\u2581\xff";
  const auto want = tokenizer.encode(text);
  std::vector<int> wrong(8);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        if (tokenizer.encode(text) != want || tokenizer.decode(want) != text) ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

TEST(SentencePiece, DrawsOtherWaysToEncodeTheSameText) {
  const std::string text =
      "hyenafilter longgate spacemodel transform convolution\n\tstateshort orderfast \u2581\xff";
  for (const char* model : {"unigram", "bpe"}) {
    const Tokenizer& tokenizer = trained(model);
    std::set<std::vector<std::int32_t>> ways;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto ids = tokenizer.encode_sampled(text, {0.2, -1, seed});
      EXPECT_EQ(tokenizer.decode(ids), text) << model << ", seed " << seed;
      EXPECT_EQ(tokenizer.encode_sampled(text, {0.2, -1, seed}), ids) << "no function of the seed";
      ways.insert(ids);
    }
    EXPECT_GT(ways.size(), 10U) << model;
  }
  EXPECT_EQ(trained("bpe").encode_sampled(text, {0.0, -1, 1}), trained("bpe").encode(text));
  EXPECT_EQ(trained("unigram").encode_sampled(text, {0.5, 1, 1}), trained("unigram").encode(text));
}

TEST(SentencePiece, GivesTheSameDrawInEveryThread) {
  const Tokenizer& tokenizer = trained("unigram");
  const auto want = tokenizer.encode_sampled("longfilter spacegate", {0.1, -1, 9});
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        (void)tokenizer.encode_sampled("gate", {0.1, -1, static_cast<std::uint64_t>(i)});
        count += tokenizer.encode_sampled("longfilter spacegate", {0.1, -1, 9}) == want ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

TEST(Sampling, IsRefusedWhereThereIsOneWayOnly) {
  const auto message = [](const Tokenizer& tokenizer, const Sampling& sampling) {
    return message_of<DataError>([&] { (void)tokenizer.encode_sampled("text", sampling); });
  };
  EXPECT_THAT(message(ByteTokenizer(), {}), HasSubstr("bytes, 257 ids has one way to encode"));
  EXPECT_THAT(message(trained("char"), {}), HasSubstr("has one way to encode"));
  EXPECT_THAT(message(trained("bpe"), {1.5, -1, 0}), HasSubstr("a share from 0 to 1), got 1.5"));
  EXPECT_THAT(message(trained("unigram"), {0.1, 0, 0}), HasSubstr("1 to 512 best ways, got 0"));
}

TEST(OpenTokenizer, SaysWhatItExpected) {
  const test::ScratchFolder folder;
  const auto message = [](const std::filesystem::path& path) {
    return message_of<DataError>([&] { (void)open_tokenizer(path.string()); });
  };
  EXPECT_THAT(message(folder / "none"), HasSubstr("no such tokenizer: expected \"bytes\""));
  EXPECT_THAT(message(folder.path()), HasSubstr("no tokenizer in this folder"));
  EXPECT_THAT(message(test::put(folder / "a.bin", "{}")), HasSubstr("named *.model"));
  EXPECT_THAT(message(test::put(folder / "a.json", "{}")),
              HasSubstr("a.json:1:1: expected the key"));
  test::put(folder / "half/merges.txt", "a b\n");
  EXPECT_THAT(message(folder / "half"),
              HasSubstr("merges.txt is there, vocab.json beside it is missing"));
  EXPECT_THAT(message(test::put(folder / "a.model", "not a model")),
              HasSubstr("a.model: not a SentencePiece model"));
  trained("bpe").save(folder / "changed");
  const auto card = folder / ("changed/"s + kTokenizerCard);
  std::string text = test::slurp(card);
  const std::string fingerprint = files::hex(trained("bpe").fingerprint());
  const std::string other = files::hex(trained("unigram").fingerprint());
  ASSERT_NE(text.find(fingerprint), std::string::npos);
  test::put(card, text.replace(text.find(fingerprint), 64, other));
  EXPECT_THAT(message(folder / "changed"), HasSubstr("it has been changed"));
  test::put(card, "{\"kind\": 3");
  EXPECT_THAT(message(folder / "changed"), HasSubstr("expected a JSON object"));
}

TEST(RealText, ComesBackFromEveryTokenizer) {
  const std::string text = test::jargon_file();
  if (text.empty()) GTEST_SKIP() << test::kJargonPath << " is not there: install jargon-text";
  ASSERT_EQ(text.size(), 1'681'817U);
  const auto tokenizer = train_sentencepiece({"unigram", 2000}, text);
  const auto begin = std::chrono::steady_clock::now();
  const auto ids = tokenizer->encode(text);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(tokenizer->decode(ids) == text);
  EXPECT_LT(ids.size(), text.size() / 2.2);  // 0.39 tokens a byte when this was written
  EXPECT_LT(seconds, 30.0);                  // one document of megabytes is no special case
  RecordProperty("encode_seconds", std::to_string(seconds));
}

}  // namespace
}  // namespace longconv::data
