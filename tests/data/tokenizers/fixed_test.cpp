// Vocabularies that need no file: DNA, ListOps, LRA's bytes; and the characters of a corpus.
#include "data/tokenizers/characters.h"
#include "data/tokenizers/dna.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/lra.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Dna, HasHyenaDnasIds) {
  const DnaTokenizer dna;
  EXPECT_THAT(dna.encode("ACGTN"), ElementsAre(7, 8, 9, 10, 11));
  EXPECT_EQ(dna.vocab_size(), 12);
  EXPECT_EQ(dna.eos_id(), 1);
  EXPECT_EQ(dna.remarks(), "");
  EXPECT_EQ(dna.decode({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), ".ACGTN");
}

TEST(Dna, ReadsSoftMasksAndCodesOrNotAsInThePublishedModels) {
  const DnaTokenizer usual;
  EXPECT_THAT(usual.encode("acgtnRyu.-\n"), ElementsAre(7, 8, 9, 10, 11, 11, 11, 11, 6, 6, 6));
  EXPECT_THAT(usual.remarks(), StartsWith("5 soft-masked bases (read as upper case), 3 codes other "
                                          "than ACGTN (read as N), 3 characters"));
  const DnaTokenizer published({true, /*upper_case=*/false});
  EXPECT_THAT(published.encode("AcR."), ElementsAre(7, 6, 6, 6));
  EXPECT_THAT(published.remarks(), HasSubstr("1 soft-masked bases (read as [UNK])"));
  EXPECT_NE(usual.fingerprint(), published.fingerprint());
  EXPECT_EQ(usual.fingerprint(), DnaTokenizer({/*special_text=*/false, true}).fingerprint())
      << "an option of others changes nothing here";
}

TEST(ListOps, HasTheFrozenIds) {
  const ListOpsTokenizer listops;
  const std::string source = "( ( ( ( [MAX 2 ) 9 ) ( ( ( [MIN 4 ) 7 ) ] ) ) ] )";
  EXPECT_THAT(listops.encode(source), ElementsAre(15, 6, 13, 14, 8, 11, 3, 3));
  EXPECT_EQ(listops.decode(listops.encode(source)), "[MAX 2 9 [MIN 4 7 ] ]");
  EXPECT_THAT(listops.encode("[MED 0 [SM 1 ] ]\r"), ElementsAre(16, 4, 17, 5, 3, 3));
  EXPECT_THAT(listops.encode("10 x <pad>"), ElementsAre(1, 1, 1));
  EXPECT_EQ(listops.decode({2, 0, 1}), "<unk>");
}

TEST(LraBytes, AreBytesPlusOne) {
  const LraByteTokenizer bytes;
  EXPECT_THAT(bytes.encode("a\0\xff"s), ElementsAre(98, 1, 256));
  EXPECT_EQ(bytes.decode({0, 98, 1, 256, 0}), "a\0\xff"s);
  EXPECT_EQ(bytes.eos_id(), -1);
}

TextSource once(std::string text) {
  return [text = std::move(text), given = false](std::string& out) mutable {
    out = text;
    return !std::exchange(given, true);
  };
}

TEST(Characters, AreThoseOfTheTextByFallingFrequency) {
  const auto tokenizer = train_characters(once("bbb aa\u00e9\u00e9  c\xff\xff\xff"), 2);
  // Three spaces and b (by code point), then a and e acute; c is too rare, a stray byte is none.
  EXPECT_EQ(tokenizer->vocab_size(), 3 + 4);
  EXPECT_THAT(tokenizer->encode(" ba\u00e9c\xff"), ElementsAre(3, 4, 5, 6, 1, 1));
  EXPECT_EQ(tokenizer->decode({0, 3, 4, 6, 1, 2}), " b\u00e9\ufffd");
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_THAT(message_of<DataError>([] { (void)train_characters(once("abc"), 2); }),
              HasSubstr("no character occurs 2 times or more (3 different ones in all)"));
}

TEST(Characters, RefuseABadFile) {
  const auto message = [](const std::string& text) {
    return message_of<DataError>([&] { (void)parse_characters(text, "c.json"); });
  };
  EXPECT_THAT(message(R"({"characters": ["a", "bc"]})"),
              StartsWith("c.json:1:22: expected one character"));
  EXPECT_THAT(message(R"({"characters": ["a", ""]})"), HasSubstr("expected one character"));
  EXPECT_THAT(message("{\"characters\": [\"a\",\n\"a\"]}"),
              StartsWith("c.json:2:1: the character \"a\" stands there twice"));
  EXPECT_THAT(message(R"({"letters": []})"), HasSubstr("expected the key \"characters\""));
}

TEST(Fixed, AreTheSameAfterSaveAndOpen) {
  const std::shared_ptr<const Tokenizer> tokenizers[] = {
      std::make_shared<DnaTokenizer>(),
      std::make_shared<DnaTokenizer>(TokenizerOptions{true, false}),
      std::make_shared<ListOpsTokenizer>(), std::make_shared<LraByteTokenizer>(),
      train_characters(once("some \"text\"\n"), 1)};
  for (const auto& tokenizer : tokenizers) {
    const test::ScratchFolder folder;
    tokenizer->save(folder.path());
    const auto opened = open_tokenizer(folder.path().string());
    EXPECT_EQ(opened->fingerprint(), tokenizer->fingerprint()) << tokenizer->describe();
    EXPECT_EQ(opened->describe(), tokenizer->describe());
    EXPECT_EQ(opened->encode("ACacgt [MIN \"\n"), tokenizer->encode("ACacgt [MIN \"\n"));
  }
  for (const char* name : {"dna", "listops", "lra_bytes"}) {
    EXPECT_NE(open_tokenizer(name), nullptr) << name;
  }
}

TEST(Card, RefusesAnOptionThatIsNoTruthValue) {
  const test::ScratchFolder folder;
  DnaTokenizer({true, false}).save(folder.path());
  const auto card = folder / kTokenizerCard;
  std::string text = test::slurp(card);
  ASSERT_NE(text.find("\"upper_case\": false"), std::string::npos);
  test::put(card, text.replace(text.find("\"upper_case\": false"), 19, "\"upper_case\": \"no\""));
  EXPECT_THAT(message_of<DataError>([&] { (void)open_tokenizer(folder.path().string()); }),
              HasSubstr("\"upper_case\": expected true or false, got \"no\""));
}

}  // namespace
}  // namespace longconv::data
