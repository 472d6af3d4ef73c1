// longconv data tokenizer: what goes in and comes out, and how it ends.
#include "tests/apps/program.h"
#include "tests/data/tokenizers/small_bpe.h"

#include <gmock/gmock.h>

namespace longconv::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Ended tokenizer(std::vector<std::string> arguments, const std::string& input) {
  arguments.insert(arguments.begin(), {"data", "tokenizer"});
  Setting setting;
  setting.input = input;
  return run(arguments, setting);
}

Ended encode(const std::string& name, const std::string& input,
             std::vector<std::string> more = {"--jsonl"}) {
  more.insert(more.begin(), {"encode", "--tokenizer", name});
  return tokenizer(more, input);
}

/// A folder as GPT-2's, and one as Hugging Face names the files.
fs::path vocabulary(const std::string& name, const char* merges, const char* ids) {
  const SmallBpe small = small_bpe({{"h", "e"}, {"l", "l"}, {"he", "ll"}});
  const fs::path folder = World::get().folder() / name;
  fs::create_directories(folder);
  write(folder / merges, small.merges);
  write(folder / ids, small.ids);
  return folder;
}

TEST(DataTokenizer, TakesEveryFormOfAVocabulary) {
  const std::string input = "\"helln\"\n\"<|endoftext|>\"\n\"\"\n\"\\u00a9\"\n";
  const fs::path own = vocabulary("gpt2_names", "vocab.bpe", "encoder.json");
  const std::string ids = "[258,110]\n[259]\n[]\n[194,169]\n";
  EXPECT_EQ(encode(own.string(), input).out, ids);
  const fs::path other = vocabulary("hf_names", "merges.txt", "vocab.json");
  EXPECT_EQ(encode(other.string(), input).out, ids);
  const fs::path json = World::get().folder() / "my_tokenizer.json";
  write(json, data::write_tokenizer_json(small_vocabulary({{"h", "e"}, {"l", "l"}, {"he", "ll"}})));
  EXPECT_EQ(encode(json.string(), input).out, ids);

  const fs::path words = World::get().folder() / "vocab.txt";
  write(words, "[UNK]\nhell\n##n\n");
  EXPECT_EQ(encode(words.string(), "\"Helln x\"\n").out, "[1,2,0]\n");
}

TEST(DataTokenizer, GivesBackBytesThatAreNoUtf8) {
  const fs::path folder = vocabulary("bytes_back", "vocab.bpe", "encoder.json");
  const auto back =
      tokenizer({"decode", "--tokenizer", folder.string(), "--hex"}, "[194]\n[258,10]\n");
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(back.out, "c2\n68656c6c0a\n");
  EXPECT_EQ(tokenizer({"decode", "--tokenizer", folder.string(), "--jsonl"}, "[258,10]\n").out,
            "\"hell\\n\"\n");
}

TEST(DataTokenizer, FollowsItsOptions) {
  const fs::path folder = vocabulary("options", "vocab.bpe", "encoder.json");
  EXPECT_EQ(encode(folder.string(), "\"<|endoftext|>\"\n", {"--jsonl", "--plain-specials"}).out,
            "[60,124,101,110,100,111,102,116,101,120,116,124,62]\n");
  EXPECT_EQ(encode("dna", "\"ACgtR\"\n").out, "[7,8,9,10,11]\n");
  const Ended kept = encode("dna", "\"ACgtR\"\n", {"--jsonl", "--keep-case"});
  EXPECT_EQ(kept.out, "[7,8,6,6,6]\n");
  EXPECT_THAT(kept.err, HasSubstr("2 soft-masked bases (read as [UNK])"));
  EXPECT_EQ(encode("listops", "( ( [SM 1 ) ]\n", {}).out, "[17,5,3]\n");
  const std::string pieces = (World::get().pieces() / "tokenizer").string();
  EXPECT_EQ(encode(pieces, "the king\n", {"--sample", "0.1", "--seed", "3"}).out,
            encode(pieces, "the king\n", {"--sample", "0.1", "--seed", "3"}).out);
}

TEST(DataTokenizer, TrainsTheCharactersOfAText) {
  const std::string out = (World::get().folder() / "characters").string();
  const Ended trained = tokenizer({"train", World::get().text().string(), "--model", "characters",
                                   "--min-count", "1", "--out", out},
                                  "");
  EXPECT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.out, AllOf(HasSubstr("characters, "), HasSubstr("fingerprint ")));
  const Ended checked = tokenizer({"check", World::get().text().string(), "--tokenizer", out}, "");
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("every id comes back"));
  EXPECT_THAT(
      tokenizer({"check", World::get().text().string(), "--tokenizer", "lra_bytes"}, "").out,
      HasSubstr("every byte comes back"));
}

TEST(DataTokenizer, EndsWithTheCodeOfWhatIsWrong) {
  const fs::path folder = vocabulary("wrong", "vocab.bpe", "encoder.json");
  const Ended no_string = encode(folder.string(), "\"a\"\n[1]\n");
  EXPECT_EQ(no_string.code, 4);
  EXPECT_EQ(no_string.out, "[97]\n");
  EXPECT_THAT(no_string.err, HasSubstr(":2: expected a JSON string, got [1]"));
  const Ended no_id = tokenizer({"decode", "--tokenizer", folder.string()}, "[1,260]\n");
  EXPECT_EQ(no_id.code, 4);
  EXPECT_THAT(no_id.err, HasSubstr("expected a JSON array of ids below 260, got [1,260]"));
  write(folder / "vocab.bpe", "h e\r\n");
  const Ended broken = encode(folder.string(), "");
  EXPECT_EQ(broken.code, 4);
  EXPECT_THAT(broken.err, HasSubstr("vocab.bpe:1: ends with CR LF"));
  EXPECT_EQ(encode("none/such", "").code, 4);
  EXPECT_EQ(tokenizer({"encode"}, "").code, 2);

  Setting bare;
  bare.environment["LONGCONV_CACHE"] = World::get().folder().string();
  for (const char* name : {"gpt2", "bert"}) {
    const Ended absent = run({"data", "tokenizer", "encode", "--tokenizer", name}, bare);
    EXPECT_EQ(absent.code, 8);
    EXPECT_THAT(absent.err, HasSubstr("scripts/vocabularies"));
  }
}

}  // namespace
}  // namespace longconv::test
