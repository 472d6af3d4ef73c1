// Corpora at scale: many sources, threads, kills, parts, bad lines, splits.
#include "core/files/lock_file.h"
#include "data/tasks/corpus_recipes.h"
#include "data/tasks/lm.h"
#include "data/tasks/prepare.h"
#include "tests/data/helpers.h"
#include "tests/data/jargon.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <zstd.h>

#include <map>
#include <random>

namespace longconv::data {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using test::put;
using test::slurp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string json_line(const std::string& text) {
  return nlohmann::json({{"text", text}, {"meta", {{"set", "test"}}}}).dump() + "\n";
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

/// Every file below `folder` but the manifest, whose throughput differs from run to run.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    out[entry.path().lexically_relative(folder).string()] = slurp(entry.path());
  }
  EXPECT_EQ(out.erase(kManifestFile), 1U);
  return out;
}

/// Names of files that are in one alone, or differ.
std::vector<std::string> differences(const std::map<std::string, std::string>& a,
                                     const std::map<std::string, std::string>& b) {
  std::vector<std::string> out;
  for (const auto& [name, content] : a) {
    const auto found = b.find(name);
    if (found == b.end() || found->second != content) out.push_back(name);
  }
  for (const auto& [name, content] : b) {
    if (a.count(name) == 0) out.push_back(name);
  }
  return out;
}

std::vector<std::int64_t> tokens_of(const std::vector<fs::path>& shards) {
  const WindowDataset data(shards, 1);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(data.tokens()));
  data.read(0, ids);
  return ids;
}

Corpus open(const fs::path& folder) {
  DataConfig config;
  config.path.set(folder.string());
  return open_corpus(config);
}

/// Bytes as text, EOS as "|".
std::string text_of(const std::vector<fs::path>& shards) {
  std::string out;
  for (const std::int64_t id : tokens_of(shards)) {
    out += id == 256 ? '|' : static_cast<char>(id);
  }
  return out;
}

class CorpusFolder : public ::testing::Test {
 protected:
  CorpusFolder() { options_.out = folder_ / "corpus"; }

  /// Ten sources of all formats, a bad line in one of them.
  void put_sources() {
    std::string text;
    for (int source = 0; source < 10; ++source) {
      std::string lines;
      for (int i = 0; i < 400; ++i) {
        lines += json_line("source " + std::to_string(source) + " document " + std::to_string(i) +
                           std::string(static_cast<std::size_t>(i % 40), 'z'));
      }
      if (source == 3) lines += "{\"text\": \"\\ud800\"}\n\n";
      text += lines;
      const std::string name = "in/" + std::to_string(source);
      if (source % 3 == 0) put(folder_ / (name + ".jsonl"), lines);
      if (source % 3 == 1) put(folder_ / (name + ".jsonl.zst"), zstd(lines));
      if (source % 3 == 2) put(folder_ / (name + ".txt"), text);
    }
    options_.sources = {(folder_ / "in").string()};
    options_.validation_share = 0.1;
    options_.max_bad = 0.01;
    options_.shard_tokens = 5000;
    options_.unit_bytes = 1;  // a source a unit
    options_.threads = 2;
  }

  test::ScratchFolder folder_;
  PrepareOptions options_;
};

TEST_F(CorpusFolder, IsTheSameForAnyNumberOfThreads) {
  put_sources();
  prepare_corpus(options_);
  const auto want = files_of(options_.out);
  EXPECT_GT(want.size(), 60U);
  for (const int threads : {1, 7}) {
    options_.threads = threads;
    options_.out = folder_ / ("threads" + std::to_string(threads));
    const PrepareResult result = prepare_corpus(options_);
    EXPECT_THAT(differences(files_of(options_.out), want), IsEmpty()) << threads;
    EXPECT_EQ(result.manifest.bad_lines, 1);
    EXPECT_EQ(result.manifest.empty_documents, 1);
    EXPECT_EQ(result.units, 10);
    EXPECT_EQ(result.manifest.fingerprint(), read_manifest(folder_ / "corpus").fingerprint());
  }
}

TEST_F(CorpusFolder, IsTheSameAfterTwentyKills) {
  put_sources();
  double longest = 0.6 * prepare_corpus(options_).seconds;
  const auto want = files_of(options_.out);
  options_.out = folder_ / "killed";
  const auto has_units = [&] {
    std::error_code none_yet;
    const fs::directory_iterator units(folder_ / "killed.partial/units", none_yet);
    return units != fs::directory_iterator();
  };
  std::mt19937 random(5);
  int killed = 0;
  int resumed = 0;
  while (killed < 20) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      try {
        ::_exit(prepare_corpus(options_).units_before > 0 ? 7 : 0);
      } catch (...) {
        ::_exit(1);
      }
    }
    ::usleep(static_cast<useconds_t>(std::uniform_real_distribution<>(0, 1e6 * longest)(random)));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      ++killed;
      if (!has_units()) longest *= 1.25;  // the machine has become slower than it was
      continue;
    }
    // It was quicker than the signal. What came out must be right; then all begins anew.
    ASSERT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 7) << status;
    resumed += WEXITSTATUS(status) == 7 ? 1 : 0;
    EXPECT_THAT(differences(files_of(options_.out), want), IsEmpty());
    fs::remove_all(options_.out);
  }
  const PrepareResult last = prepare_corpus(options_);
  resumed += last.units_before > 0 ? 1 : 0;
  EXPECT_THAT(differences(files_of(options_.out), want), IsEmpty());
  EXPECT_GT(resumed, 0) << "no kill came between two units";
  EXPECT_FALSE(fs::exists(folder_ / "killed.partial"));
}

TEST_F(CorpusFolder, IsSharedByPartsThatMeet) {
  put_sources();
  prepare_corpus(options_);
  const auto want = files_of(options_.out);
  options_.out = folder_ / "parts";
  options_.parts = 3;
  for (const int part : {2, 3}) {
    options_.part = part;
    const PrepareResult result = prepare_corpus(options_);
    EXPECT_FALSE(result.complete);
    EXPECT_FALSE(fs::exists(options_.out));
  }
  options_.part = 3;  // again: nothing to do
  EXPECT_EQ(prepare_corpus(options_).units_before, 3);
  options_.part = 1;
  const PrepareResult result = prepare_corpus(options_);
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.units_done, 10);
  EXPECT_THAT(differences(files_of(options_.out), want), IsEmpty());
  options_.part = 2;  // too late: all is there
  EXPECT_TRUE(prepare_corpus(options_).reused);

  options_.part = 4;
  EXPECT_THAT(message_of<UsageError>([&] { prepare_corpus(options_); }), HasSubstr("--part 4/3"));
  options_.part = 1;
  options_.tokenizer = "unigram:300";
  EXPECT_THAT(message_of<UsageError>([&] { prepare_corpus(options_); }),
              HasSubstr("train it first"));
  options_.tokenizer = "bytes";
  options_.sources = {"-"};
  EXPECT_THAT(message_of<UsageError>([&] { prepare_corpus(options_); }),
              HasSubstr("standard input cannot be shared"));
}

TEST_F(CorpusFolder, GoesOnWithWhatFitsAndRefusesTheRest) {
  put_sources();
  options_.parts = 2;
  prepare_corpus(options_);  // units 0, 2, 4, ...
  options_.eos = false;
  EXPECT_THAT(message_of<DataError>([&] { prepare_corpus(options_); }),
              HasSubstr("corpus.partial: holds unfinished work from other sources or with other"));
  options_.eos = true;
  // A source of the same size and another content: its unit is made again, the others are not.
  std::string changed = slurp(folder_ / "in/0.jsonl");
  changed.replace(changed.find("document 5"), 10, "DOCUMENT 5");
  put(folder_ / "in/0.jsonl", changed);
  fs::last_write_time(folder_ / "in/0.jsonl",
                      fs::last_write_time(folder_ / "in/3.jsonl") + std::chrono::seconds(1));
  // The same content with another time: not made again.
  fs::last_write_time(folder_ / "in/6.jsonl",
                      fs::last_write_time(folder_ / "in/6.jsonl") + std::chrono::seconds(1));
  const PrepareResult again = prepare_corpus(options_);
  EXPECT_EQ(again.units_before, 4);
  options_.part = 2;
  prepare_corpus(options_);
  EXPECT_THAT(text_of(open(options_.out).train), HasSubstr("DOCUMENT 5"));
}

TEST_F(CorpusFolder, AnotherProcessAtTheSamePartIsRefused) {
  put_sources();
  options_.parts = 2;
  prepare_corpus(options_);
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const files::LockFile lock(folder_ / "corpus.partial/part-1-of-2.lock");
    static_cast<void>(::write(ready[1], "x", 1));
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(message_of<EnvironmentError>([&] { prepare_corpus(options_); }),
              HasSubstr("part-1-of-2.lock"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(prepare_corpus(options_));
}

TEST_F(CorpusFolder, BadLinesAreLeftOutAndListed) {
  std::string lines = "\xEF\xBB\xBF{\"text\": \"first\"}\r\n";
  for (int i = 0; i < 3000; ++i) lines += json_line("document");
  lines += "{\"text\": \"na\xefve\"}\n{\"txt\": 1}\n\n" + json_line("last");
  options_.sources = {put(folder_ / "a.jsonl", lines).string()};
  options_.max_bad = 0.001;
  const PrepareResult result = prepare_corpus(options_);
  EXPECT_EQ(result.manifest.bad_lines, 2);
  EXPECT_EQ(result.manifest.empty_documents, 1);
  EXPECT_EQ(result.manifest.train.documents, 3002);
  const Corpus corpus = open(options_.out);
  EXPECT_EQ(text_of(corpus.train).substr(0, 15), "first|document|");
  std::vector<nlohmann::json> bad;
  std::istringstream listed(slurp(options_.out / kBadLinesFile));
  for (std::string line; std::getline(listed, line);) bad.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(bad.size(), 2U);
  EXPECT_EQ(bad[0].at("source"), "a.jsonl");
  EXPECT_EQ(bad[0].at("line"), 3002);
  EXPECT_EQ(bad[0].at("bytes"), 17);
  EXPECT_EQ(bad[0].at("why"), "byte 12 of the line is not UTF-8");
  EXPECT_EQ(bad[1].at("line"), 3003);
  EXPECT_EQ(bad[1].at("why"), "the object has no key \"text\"");
  EXPECT_EQ(bad[1].at("begins"), "{\"txt\": 1}");

  options_.out = folder_ / "strict";
  options_.max_bad = 0.0006;
  EXPECT_THAT(
      message_of<DataError>([&] { prepare_corpus(options_); }),
      HasSubstr("2 of 3005 lines are bad, allowed is a share of 0.0006 (--max-bad); the first:\n"
                "  a.jsonl:3002: byte 12"));
  EXPECT_FALSE(fs::exists(folder_ / "strict.partial")) << "nothing was finished";
}

TEST_F(CorpusFolder, TooManyBadLinesStopEarly) {
  std::string lines;
  for (int i = 0; i < 40'000; ++i) lines += "[" + std::string(100, ' ') + "]\n";
  options_.sources = {
      put(folder_ / "a.jsonl", lines + std::string("{\"text\": \"x\"}\n")).string()};
  EXPECT_THAT(message_of<DataError>([&] { prepare_corpus(options_); }), HasSubstr("lines are bad"));
  EXPECT_THAT(message_of<DataError>([&] { prepare_corpus(options_); }),
              ::testing::Not(HasSubstr("of 40001 lines")));
}

TEST_F(CorpusFolder, TruncatedSourcesAreErrors) {
  const std::string whole = zstd(json_line("some text") + json_line("more"));
  options_.sources = {put(folder_ / "a.jsonl.zst", whole.substr(0, whole.size() - 2)).string()};
  EXPECT_THAT(message_of<DataError>([&] { prepare_corpus(options_); }),
              HasSubstr("a.jsonl.zst: truncated"));
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(CorpusFolder, AShareOfTheDocumentsValidates) {
  std::string lines;
  for (int i = 0; i < 20'000; ++i) lines += json_line("document " + std::to_string(i % 10'000));
  options_.sources = {put(folder_ / "a.jsonl", lines).string()};
  options_.validation_share = 0.05;
  const ManifestSplit held = prepare_corpus(options_).manifest.validation;
  // Every text comes twice, both times on one side: 10,000 draws, 22 a standard deviation.
  EXPECT_EQ(held.documents % 2, 0);
  EXPECT_NEAR(static_cast<double>(held.documents) / 2, 500, 5 * 22);
  const std::string text = text_of(open(options_.out).validation);
  options_.out = folder_ / "other";
  options_.split_seed = 1;
  prepare_corpus(options_);
  EXPECT_NE(text_of(open(options_.out).validation), text);
  options_.out = folder_ / "larger";  // a larger share holds the smaller one
  options_.split_seed = 2357;
  options_.validation_share = 0.1;
  prepare_corpus(options_);
  const std::string more = "|" + text_of(open(options_.out).validation);
  std::istringstream documents(text);
  for (std::string document; std::getline(documents, document, '|');) {
    EXPECT_THAT(more, HasSubstr("|" + document + "|"));
  }
}

TEST_F(CorpusFolder, DocumentsMayBeCut) {
  options_.sources = {
      put(folder_ / "a.jsonl", json_line("h\u00e9llo w\u00f6rld") + json_line("ab")).string(),
      put(folder_ / "b.txt", "one\ntwo\n").string()};
  options_.document_chars = 5;
  prepare_corpus(options_);
  EXPECT_EQ(text_of(open(options_.out).train), "h\u00e9llo|ab|one\nt|");
  options_.out = folder_ / "tokens";
  options_.document_tokens = 2;
  prepare_corpus(options_);
  EXPECT_EQ(text_of(open(options_.out).train), "h\xc3|ab|on|");
}

TEST_F(CorpusFolder, WikiTextLinesAreDocumentsWithTheirLineBreak) {
  put(folder_ / "w/wiki.train.raw", " \n = Title = \n \n A line . \r\nlast");
  put(folder_ / "w/wiki.valid.raw", " held \n\n");
  options_.sources = {"wikitext", (folder_ / "w").string()};
  options_.tokenizer = "bytes";
  apply_recipe(options_);
  const Manifest manifest = prepare_corpus(options_).manifest;
  const Corpus corpus = open(options_.out);
  EXPECT_EQ(text_of(corpus.train), " = Title = \n A line . \nlast\n");
  EXPECT_EQ(text_of(corpus.validation), " held \n");
  EXPECT_EQ(manifest.train.documents, 3);
  EXPECT_EQ(manifest.empty_documents, 3);
}

TEST_F(CorpusFolder, RecipesFillInWhatIsNotChosen) {
  PrepareOptions owt;
  owt.sources = {"openwebtext", "x.jsonl"};
  owt.tokenizer = "";
  apply_recipe(owt);
  EXPECT_THAT(owt.sources, ElementsAre("x.jsonl"));
  EXPECT_EQ(owt.validation_share, 0.0005);
  EXPECT_EQ(owt.tokenizer, "gpt2");
  put(folder_ / "en/c4-train.00000-of-01024.json.gz", "x");
  put(folder_ / "en/c4-validation.00000-of-00008.json.gz", "x");
  PrepareOptions c4;
  c4.sources = {"c4", (folder_ / "en").string()};
  c4.tokenizer = "";
  c4.document_tokens = 126;
  apply_recipe(c4);
  EXPECT_EQ(c4.sources.size(), 1U);
  EXPECT_EQ(c4.validation.size(), 1U);
  EXPECT_EQ(c4.document_chars, 4000);
  EXPECT_EQ(c4.document_tokens, 126);
  EXPECT_EQ(c4.tokenizer, "bert");
  EXPECT_FALSE(c4.eos);
  PrepareOptions file;  // a file of that name
  file.sources = {"c4"};
  file.tokenizer = "";
  apply_recipe(file);
  EXPECT_THAT(file.sources, ElementsAre("c4"));
  EXPECT_EQ(file.tokenizer, "bytes");
}

TEST_F(CorpusFolder, ValidationAloneIsACorpusToMeasureOn) {
  options_.validation = {put(folder_ / "v.txt", "held out").string()};
  prepare_corpus(options_);
  const Corpus corpus = open(options_.out);
  EXPECT_TRUE(corpus.train.empty());
  EXPECT_EQ(text_of(corpus.validation), "held out|");
}

TEST_F(CorpusFolder, ALongTextGivesTheIdsOfTheWhole) {
  std::string text = test::jargon_file();
  if (text.empty()) GTEST_SKIP() << test::kJargonPath << " is not there: install jargon-text";
  text += text;  // 3.3 MB: several blocks
  options_.sources = {put(folder_ / "jargon.txt", text).string()};
  std::vector<std::string> tokenizers = {"char:1000"};
  try {
    static_cast<void>(open_tokenizer("gpt2"));
    tokenizers.insert(tokenizers.end(), {"gpt2", "bert"});
  } catch (const EnvironmentError&) {
    // scripts/vocabularies has not run
  }
  for (const std::string& name : tokenizers) {
    options_.out = folder_ / name;
    options_.tokenizer = name;
    options_.eos = name != "bert";
    prepare_corpus(options_);
    const Corpus corpus = open(options_.out);
    auto want = corpus.tokenizer->encode(text);
    if (options_.eos) want.push_back(static_cast<std::int32_t>(corpus.tokenizer->eos_id()));
    const auto got = tokens_of(corpus.train);
    EXPECT_TRUE(std::equal(got.begin(), got.end(), want.begin(), want.end())) << name;
  }
}

}  // namespace
}  // namespace longconv::data
