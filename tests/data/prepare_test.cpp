#include "data/tasks/prepare.h"

#include "data/tasks/inspect.h"
#include "data/tasks/lm.h"
#include "data/tokenizers/sentencepiece.h"
#include "tests/data/helpers.h"
#include "tests/data/jargon.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

namespace longconv::data {
namespace {

using namespace std::string_literals;
namespace fs = std::filesystem;
using test::message_of;
using test::put;
using test::slurp;
using ::testing::HasSubstr;

PrepareOptions options_for(const test::ScratchFolder& folder,
                           const std::vector<fs::path>& sources) {
  PrepareOptions options;
  for (const fs::path& source : sources) options.sources.push_back(source.string());
  options.out = folder / "corpus";
  return options;
}

Corpus open(const fs::path& folder, const std::string& tokenizer = "") {
  DataConfig config;
  config.path.set(folder.string());
  if (!tokenizer.empty()) config.tokenizer.set(tokenizer);
  return open_corpus(config);
}

/// All tokens of a split, decoded with EOS shown as "|".
std::string text_of(const Corpus& corpus, const std::vector<fs::path>& shards) {
  std::string out;
  const WindowDataset data(shards, 1);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(data.tokens()));
  data.read(0, ids);
  for (const std::int64_t id : ids) {
    out += id == corpus.tokenizer->eos_id()
               ? "|"
               : corpus.tokenizer->decode({static_cast<std::int32_t>(id)});
  }
  return out;
}

TEST(Prepare, MakesACorpusOfAllKindsOfSources) {
  const test::ScratchFolder folder;
  put(folder / "in/b.jsonl", "{\"text\": \"two\"}\n{\"text\": \"\"}\n{\"text\": \"three\"}\n");
  put(folder / "in/a.txt", "one \u00e9\n");
  put(folder / "in/notes.md", "not a source");
  put(folder / "held.txt", "held out");
  PrepareOptions options = options_for(folder, {folder / "in"});
  options.validation = {(folder / "held.txt").string()};
  const PrepareResult result = prepare_corpus(options);
  EXPECT_FALSE(result.reused);
  const Corpus corpus = open(options.out);
  EXPECT_EQ(text_of(corpus, corpus.train), "one \u00e9\n|two|three|");  // no EOS for an empty one
  EXPECT_EQ(text_of(corpus, corpus.validation), "held out|");
  EXPECT_EQ(corpus.train_bytes, 7 + 3 + 5);  // UTF-8 bytes of the text, EOS not counted
  EXPECT_EQ(corpus.train_tokens, corpus.train_bytes + 3);
  EXPECT_EQ(corpus.validation_bytes, 8);
  EXPECT_EQ(corpus.validation_tokens, 9);
  EXPECT_EQ(result.manifest.train.documents, 3);
  EXPECT_EQ(result.manifest.sources.size(), 3U);
  EXPECT_EQ(corpus.fingerprint.size(), 64U);
  // Nothing but the corpus is left beside the sources.
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("in", "held.txt", "corpus"));
}

TEST(Prepare, HoldsOutTheLastBytesExactly) {
  const test::ScratchFolder folder;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i % 26);
  const auto book = put(folder / "book.txt", text);
  const auto other = put(folder / "other.txt", "other");
  PrepareOptions options = options_for(folder, {book, other});
  options.holdout = {"book.txt=0.1"};
  prepare_corpus(options);
  const Corpus corpus = open(options.out);
  EXPECT_EQ(text_of(corpus, corpus.train), text.substr(0, 900) + "|other|");
  EXPECT_EQ(text_of(corpus, corpus.validation), text.substr(900) + "|");

  // 3-byte characters: 0.9 of 30 bytes is 27, of 33 bytes 29.7, which lies inside the tenth.
  for (const int characters : {10, 11}) {
    std::string wide;
    for (int i = 0; i < characters; ++i) wide += "\u20ac";
    put(book, wide);
    options.out = folder / std::to_string(characters);
    prepare_corpus(options);
    const Corpus cut = open(options.out);
    EXPECT_EQ(cut.validation_bytes, characters == 10 ? 3 : 6);
    EXPECT_EQ(cut.train_bytes + cut.validation_bytes,
              static_cast<std::int64_t>(wide.size() + "other"s.size()));
  }

  const auto message = [&](const std::string& holdout) {
    options.holdout = {holdout};
    options.out = folder / "never";
    return message_of<UsageError>([&] { prepare_corpus(options); });
  };
  EXPECT_THAT(message("book.txt"), HasSubstr("expected FILE_NAME=SHARE"));
  EXPECT_THAT(message("book.txt=1"), HasSubstr("share between 0 and 1"));
  EXPECT_THAT(message("book.txt=0.1x"), HasSubstr("share between 0 and 1"));
  EXPECT_THAT(message("bock.txt=0.1"), HasSubstr("there are: book.txt, other.txt"));
  EXPECT_FALSE(fs::exists(folder / "never"));
}

TEST(Prepare, TrainsTheTokenizerOnTheTrainingPartOnly) {
  const test::ScratchFolder folder;
  std::string train;
  for (int i = 0; i < 3000; ++i) {
    train += "word" + std::string(1 + i % 3, static_cast<char>('a' + i * 7 % 23)) + "ing" +
             std::string(1, static_cast<char>('a' + i * 11 % 26)) + (i % 9 == 8 ? "\n" : " ");
  }
  const auto book = put(folder / "a.txt", train);
  const auto held = put(folder / "held.txt", "zyxwv zyxwv zyxwv\n");
  PrepareOptions options = options_for(folder, {book});
  options.validation = {held.string()};
  options.tokenizer = "unigram:300";
  prepare_corpus(options);
  const Corpus corpus = open(options.out);
  EXPECT_EQ(corpus.tokenizer->fingerprint(),
            train_sentencepiece({"unigram", 300}, train)->fingerprint());
  EXPECT_EQ(corpus.tokenizer->describe(), "sentencepiece unigram, 300 ids");
  EXPECT_EQ(text_of(corpus, corpus.validation), "zyxwv zyxwv zyxwv\n|");

  // The same tokenizer for another corpus, and the complaint when it is not the one.
  const std::string path = (options.out / "tokenizer").string();
  EXPECT_EQ(open(options.out, path).train_tokens, corpus.train_tokens);
  EXPECT_THAT(message_of<DataError>([&] { open(options.out, "bytes"); }),
              HasSubstr("the shards were made with sentencepiece unigram, 300 ids"));
  PrepareOptions second = options_for(folder, {held});
  second.out = folder / "second";
  second.tokenizer = path;
  prepare_corpus(second);
  EXPECT_EQ(open(second.out).tokenizer->fingerprint(), corpus.tokenizer->fingerprint());

  options.tokenizer = "unigram:x";
  EXPECT_THAT(message_of<UsageError>([&] { prepare_corpus(options); }),
              HasSubstr("expected unigram:N"));
}

TEST(Prepare, ReusesWhatIsThereAndRefusesWhatIsNot) {
  const test::ScratchFolder folder;
  const auto source = put(folder / "a.txt", "some text\n");
  PrepareOptions options = options_for(folder, {source});
  prepare_corpus(options);
  const std::string before = read_manifest(options.out).fingerprint();
  const PrepareResult again = prepare_corpus(options);
  EXPECT_TRUE(again.reused);
  EXPECT_EQ(again.manifest.fingerprint(), before);
  // Moving the sources changes nothing, their content does, options do.
  fs::create_directory(folder / "moved");
  fs::rename(source, folder / "moved/a.txt");
  options.sources = {(folder / "moved/a.txt").string()};
  EXPECT_TRUE(prepare_corpus(options).reused);
  const auto message = [&] { return message_of<DataError>([&] { prepare_corpus(options); }); };
  options.eos = false;
  EXPECT_THAT(message(), HasSubstr("choose another --out, or remove this folder"));
  options.eos = true;
  put(folder / "moved/a.txt", "some text!\n");
  EXPECT_THAT(message(), HasSubstr("made from other sources or with other options"));
  put(folder / "moved/a.txt", "some text\n");
  EXPECT_TRUE(prepare_corpus(options).reused);
  fs::remove(options.out / "train/00000-000.lct");
  EXPECT_THAT(message(), HasSubstr("shard train/00000-000.lct is missing"));
  fs::remove_all(options.out);
  put(options.out / "thesis.txt", "precious");
  EXPECT_THAT(message(), HasSubstr("exists and is no corpus"));
  EXPECT_EQ(slurp(options.out / "thesis.txt"), "precious");
  fs::remove_all(options.out);
  fs::create_directory(options.out);  // an empty folder may be filled
  EXPECT_FALSE(prepare_corpus(options).reused);
  EXPECT_EQ(read_manifest(options.out).fingerprint(), before);
}

TEST(Prepare, ShardsAndThreadsDoNotChangeTheStream) {
  const test::ScratchFolder folder;
  std::string lines;
  for (int i = 0; i < 500; ++i) {
    lines +=
        "{\"text\": \"document " + std::to_string(i) + " " + std::string(i % 50, 'x') + "\"}\n";
  }
  PrepareOptions options = options_for(folder, {put(folder / "a.jsonl", lines)});
  options.threads = 1;
  prepare_corpus(options);
  const Corpus one = open(options.out);
  options.out = folder / "many";
  options.threads = 5;
  options.shard_tokens = 1000;
  const PrepareResult result = prepare_corpus(options);
  const Corpus many = open(options.out);
  EXPECT_EQ(one.train.size(), 1U);
  EXPECT_GT(many.train.size(), 10U);
  EXPECT_EQ(text_of(many, many.train), text_of(one, one.train));
  EXPECT_EQ(result.manifest.train.documents, 500);
  std::int64_t tokens = 0;
  for (const ManifestShard& shard : result.manifest.train.shards) tokens += shard.tokens;
  EXPECT_EQ(tokens, many.train_tokens);
}

TEST(Prepare, KilledAtAnyMomentLeavesNothingThatOpens) {
  const test::ScratchFolder folder;
  std::string lines;
  for (int i = 0; i < 40'000; ++i)
    lines += "{\"text\": \"document number " + std::to_string(i) + "\"}\n";
  PrepareOptions options = options_for(folder, {put(folder / "a.jsonl", lines)});
  options.shard_tokens = 50'000;
  options.threads = 1;
  int killed = 0;
  for (int delay_us = 500; delay_us < 1'500'000 && killed < 25; delay_us += delay_us / 4 + 3000) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        prepare_corpus(options);
      } catch (...) {
        ::_exit(1);
      }
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(delay_us));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) break;  // it was quicker than the signal: whole, as checked below
    ++killed;
    if (fs::exists(options.out)) {
      EXPECT_NO_THROW(open(options.out)) << "there, but not whole";
      break;
    }
    EXPECT_THROW(open(options.out), DataError);
  }
  EXPECT_GT(killed, 3);
  const PrepareResult result = prepare_corpus(options);
  EXPECT_EQ(open(options.out).train_tokens, result.manifest.train.tokens);
  EXPECT_EQ(result.manifest.train.documents, 40'000);
  // What the killed ones left has been cleared away.
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
  }
}

TEST(Prepare, BadSourcesLeaveNothing) {
  const test::ScratchFolder folder;
  const auto message = [&](const fs::path& source) {
    const PrepareOptions options = options_for(folder, {source});
    std::string text = message_of<DataError>([&] { prepare_corpus(options); });
    EXPECT_FALSE(fs::exists(options.out));
    return text;
  };
  EXPECT_THAT(message(folder / "none.txt"), HasSubstr("no such file or folder"));
  EXPECT_THAT(message(put(folder / "empty.txt", "")), HasSubstr("empty file"));
  EXPECT_THAT(message(put(folder / "bad.jsonl", "{\"text\": \"a\"}\n{\"text\"}\n")),
              HasSubstr("bad.jsonl:2: bad JSON"));
  EXPECT_THAT(message(put(folder / "bad.txt", "\xff")), HasSubstr("is not UTF-8"));
  EXPECT_THAT(message(put(folder / "blank.jsonl", "{\"text\": \"\"}\n")),
              HasSubstr("no training text"));
  EXPECT_THAT(message_of<UsageError>([&] { prepare_corpus(options_for(folder, {})); }),
              HasSubstr("no source given"));
  const auto twice = put(folder / "t.txt", "x");
  EXPECT_THAT(message_of<UsageError>([&] {
                prepare_corpus(options_for(folder, {twice, twice}));
              }),
              HasSubstr("named twice"));
}

class OpenCorpus : public ::testing::Test {
 protected:
  void SetUp() override {
    PrepareOptions options = options_for(folder_, {put(folder_ / "a.txt", "some training text\n")});
    options.validation = {put(folder_ / "v.txt", "held out\n").string()};
    prepare_corpus(options);
    corpus_ = options.out;
    shard_ = corpus_ / "train/00000-000.lct";
  }
  [[nodiscard]] std::string message() const {
    return message_of<DataError>([&] {
      const Corpus corpus = open(corpus_);
      const WindowDataset data(corpus.train, 4);
    });
  }
  test::ScratchFolder folder_;
  fs::path corpus_;
  fs::path shard_;
};

TEST_F(OpenCorpus, NamesAMissingFolderManifestOrShard) {
  EXPECT_THAT(message_of<DataError>([&] { open(folder_ / "none"); }),
              HasSubstr("none: no such folder; `longconv data prepare"));
  EXPECT_THAT(message_of<DataError>([&] { open(folder_.path()); }), HasSubstr("not a corpus"));
  const DataConfig unset;
  EXPECT_THAT(message_of<ConfigError>([&] { open_corpus(unset); }), HasSubstr("data.path: "));
  fs::remove(shard_);
  EXPECT_THAT(message(), HasSubstr(shard_.string() + ": missing"));
}

TEST_F(OpenCorpus, RefusesTruncatedForeignAndDamagedShards) {
  const std::string whole = slurp(shard_);
  put(shard_, whole.substr(0, whole.size() - 3));
  EXPECT_THAT(message(), HasSubstr(shard_.string() + ": the header says 20 tokens"));
  put(shard_, "a shard of something else");
  EXPECT_THAT(message(), HasSubstr("not a token shard"));
  std::string changed = whole;
  changed[4096] ^= 1;
  put(shard_, changed);
  EXPECT_THAT(message(), HasSubstr("CRC-32C"));
  changed = whole;
  changed[40] ^= 1;  // the tokenizer's hash
  put(shard_, changed);
  EXPECT_THAT(message(), HasSubstr("the shard belongs to another corpus"));
  put(shard_, slurp(corpus_ / "validation/00000-000.lct"));
  EXPECT_THAT(message(), HasSubstr("the manifest says 20 of 257"));
}

TEST_F(OpenCorpus, RefusesAnEditedManifest) {
  const auto manifest = corpus_ / kManifestFile;
  const std::string whole = slurp(manifest);
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    EXPECT_NE(text.find(from), std::string::npos) << from;
    put(manifest, text.replace(text.find(from), from.size(), to));
    return message();
  };
  EXPECT_THAT(edited("\"eos\": true", "\"eos\": false"), HasSubstr("it has been edited"));
  EXPECT_THAT(edited("\"version\": 1", "\"version\": 2"), HasSubstr("version 2"));
  EXPECT_THAT(edited("train/00000-000.lct", "../../secret"), HasSubstr("outside the folder"));
  EXPECT_THAT(edited("\"train\": {", "\"brain\": {"), HasSubstr("malformed manifest"));
  put(manifest, whole.substr(0, whole.size() / 2));
  EXPECT_THAT(message(), HasSubstr("malformed manifest"));
}

TEST_F(OpenCorpus, InspectVerifiesAgainstTheManifest) {
  const InspectionOptions verify{2, true};
  EXPECT_THAT(inspect_data(corpus_, verify), HasSubstr("some training text"));
  EXPECT_THAT(inspect_data(shard_, verify), HasSubstr("some training text"));
  // Another valid shard in its place: every checksum of its own is right, the manifest's is not.
  const Corpus corpus = open(corpus_);
  TokenShardWriter writer(shard_, 257, 256, corpus.tokenizer->fingerprint());
  writer.add_document(std::vector<std::int32_t>(20, 65));
  writer.finish();
  EXPECT_NO_THROW(open(corpus_));
  EXPECT_THAT(message_of<DataError>([&] { inspect_data(corpus_, verify); }),
              HasSubstr("the shard was changed after its manifest"));
  EXPECT_THAT(message_of<DataError>([&] { inspect_data(folder_ / "a.txt", verify); }),
              HasSubstr("expected a corpus folder, a token shard"));
}

TEST(RealText, BecomesACorpusWithItsLastTenthHeldOut) {
  const std::string text = test::jargon_file();
  if (text.empty()) GTEST_SKIP() << test::kJargonPath << " is not there: install jargon-text";
  const test::ScratchFolder folder;
  PrepareOptions options = options_for(folder, {put(folder / "jargon.txt", text)});
  options.holdout = {"jargon.txt=0.1"};
  options.tokenizer = "unigram:2000";
  prepare_corpus(options);
  const Corpus corpus = open(options.out);
  const auto cut = static_cast<std::size_t>(corpus.train_bytes);
  EXPECT_EQ(corpus.train_bytes + corpus.validation_bytes, static_cast<std::int64_t>(text.size()));
  EXPECT_LE(cut, text.size() * 9 / 10);
  EXPECT_GT(cut + 4, text.size() * 9 / 10);
  EXPECT_TRUE(text_of(corpus, corpus.validation) == text.substr(cut) + "|");
  const PrepareResult again = prepare_corpus(options);
  EXPECT_TRUE(again.reused);
  EXPECT_LT(again.seconds, 5.0);
}

}  // namespace
}  // namespace longconv::data
