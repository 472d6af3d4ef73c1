// Bad input: each kind ends with its code, one paragraph that names place and remedy, and nothing
// half-written.
#include "tests/apps/program.h"

#include <gmock/gmock.h>

#include <string>

namespace longconv::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

/// A folder below the world's for one test.
fs::path fresh(const std::string& name) {
  const fs::path folder = World::get().folder() / name;
  fs::create_directories(folder);
  return folder;
}

void expect_error(const Ended& ended, int code, const std::vector<std::string>& words) {
  EXPECT_EQ(ended.code, code) << ended.err;
  EXPECT_THAT(ended.out, IsEmpty());
  for (const std::string& word : words) EXPECT_THAT(ended.err, HasSubstr(word));
}

Ended train_text(const std::string& name, const std::string& toml) {
  const fs::path config = fresh("configs") / name;
  write(config, toml);
  return run({"train", config.string(), "run.dir=" + (World::get().folder() / "none").string()});
}

TEST(BadConfig, BrokenTomlNamesFileLineAndColumn) {
  expect_error(train_text("broken.toml", "seed = 1\n[data\npath = \"x\"\n"), 3, {"broken.toml:2:"});
}

TEST(BadConfig, AnUnknownKeyNamesTheNearest) {
  expect_error(train_text("key.toml", "[model.filter]\nemb_dimm = 3\n"), 3,
               {"key.toml:2:1: model.filter.emb_dimm", "did you mean emb_dim"});
}

TEST(BadConfig, AnUnknownTableIsAnError) {
  expect_error(train_text("table.toml", "[optimizer]\nlr = 1.0\n"), 3, {"table.toml:1:", "optim"});
}

TEST(BadConfig, AWrongTypeSaysWhatCame) {
  expect_error(train_text("type.toml", "[optim]\nlr = \"6e-4\"\n"), 3,
               {"type.toml:2:6: optim.lr", "number > 0", "\"6e-4\""});
}

TEST(BadConfig, OutOfRangeSaysTheRange) {
  expect_error(train_text("range.toml", "[train]\nlog_every = 0\n"), 3,
               {"range.toml:2:13: train.log_every", ">= 1", "0"});
}

TEST(BadConfig, AMissingFileIsAConfigurationError) {
  expect_error(run({"train", "no/such.toml"}), 3, {"no/such.toml"});
}

TEST(BadConfig, OverridesGetTheSameChecks) {
  const World& world = World::get();
  const auto with = [&](const std::string& text) {
    return run(train_tiny(world.bytes(), world.folder() / "none", {text}));
  };
  expect_error(with("optim.lrr=1"), 3, {"optim.lrr=1", "did you mean lr"});
  expect_error(with("optim.lr=fast"), 3, {"override \"optim.lr=fast\"", "number > 0"});
  expect_error(with("model.n_layers=0"), 3, {"model.n_layers=0", ">= 1"});
  expect_error(with("schedule.name=cosinus"), 3, {"schedule.name", "cosine"});
  EXPECT_FALSE(fs::exists(world.folder() / "none"));
}

TEST(BadConfig, KeysThatContradictEachOtherAreErrors) {
  const World& world = World::get();
  const fs::path none = world.folder() / "none";
  expect_error(run(train_tiny(world.bytes(), none, {"train.accumulate=3"})), 3,
               {"train.accumulate", "data.batch_size"});
  expect_error(run(train_tiny(world.bytes(), none, {"model.l_max=16"})), 3,
               {"model.l_max", "data.seq_len"});
  expect_error(run(train_tiny(world.bytes(), none, {"model.vocab_size=100"})), 3,
               {"model.vocab_size", "tokenizer"});
  EXPECT_FALSE(fs::exists(none / "checkpoints"));
}

// --- data ---

/// A copy of the byte corpus whose first training shard the test may spoil.
struct Corpus {
  explicit Corpus(const std::string& name) : folder(World::get().folder() / name) {
    fs::copy(World::get().bytes(), folder, fs::copy_options::recursive);
    for (const auto& entry : fs::directory_iterator(folder / "train")) {
      if (entry.path().extension() == ".lct") shard = entry.path();
    }
  }
  [[nodiscard]] Ended train() const {
    return run(train_tiny(folder, World::get().folder() / "none"));
  }
  fs::path folder;
  fs::path shard;
};

TEST(BadData, AMissingCorpusIsNamed) {
  expect_error(run(train_tiny("no/such/corpus", World::get().folder() / "none")), 4,
               {"no/such/corpus"});
}

TEST(BadData, AMissingShardIsNamed) {
  const Corpus corpus("missing");
  fs::remove(corpus.shard);
  expect_error(corpus.train(), 4, {corpus.shard.string()});
}

TEST(BadData, ATruncatedShardIsNamed) {
  const Corpus corpus("truncated");
  fs::resize_file(corpus.shard, fs::file_size(corpus.shard) - 1000);
  expect_error(corpus.train(), 4, {corpus.shard.string()});
}

TEST(BadData, AForeignShardIsNamed) {
  const Corpus corpus("foreign");
  write(corpus.shard, std::string(fs::file_size(corpus.shard), 'x'));
  expect_error(corpus.train(), 4, {corpus.shard.string()});
}

TEST(BadData, AShardOfAnotherCorpusIsNamed) {
  const Corpus corpus("strange");
  const fs::path other = World::get().pieces() / "train" / corpus.shard.filename();
  ASSERT_TRUE(fs::exists(other));
  fs::copy_file(other, corpus.shard, fs::copy_options::overwrite_existing);
  expect_error(corpus.train(), 4, {corpus.shard.string(), "belongs to another corpus"});
}

TEST(BadData, AFlippedBitIsFound) {
  const Corpus corpus("flipped");
  std::string bytes = read(corpus.shard);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write(corpus.shard, bytes);
  expect_error(corpus.train(), 4, {corpus.shard.string()});
}

TEST(BadData, ATokenizerThatDoesNotBelongIsRefused) {
  const World& world = World::get();
  expect_error(run(train_tiny(world.pieces(), world.folder() / "none", {"data.tokenizer=bytes"})),
               4, {"tokenizer"});
}

TEST(BadData, ATokenizerFolderThatWasExchangedIsRefused) {
  const Corpus corpus("exchanged");
  fs::remove_all(corpus.folder / "tokenizer");
  fs::copy(World::get().pieces() / "tokenizer", corpus.folder / "tokenizer",
           fs::copy_options::recursive);
  expect_error(corpus.train(), 4, {corpus.folder.string(), "wrong tokenizer"});
}

TEST(BadData, AModelIsNotEvaluatedOnAnotherTokenizersCorpus) {
  const World& world = World::get();
  expect_error(
      run({"eval", world.run().string(), "perplexity", "data.path=" + world.pieces().string()}), 4,
      {"tokenizer"});
}

TEST(BadData, InspectNamesWhatItTakes) {
  const fs::path file = fresh("odd") / "notes.xyz";
  write(file, "hello");
  expect_error(run({"inspect", file.string()}), 4, {"notes.xyz", ".safetensors"});
  expect_error(run({"inspect", "no/such/thing"}), 4, {"no/such/thing"});
}

TEST(BadData, PrepareOfNothingWritesNothing) {
  const fs::path out = World::get().folder() / "unborn";
  expect_error(run({"data", "prepare", "no/such.txt", "--out", out.string()}), 4, {"no/such.txt"});
  EXPECT_FALSE(fs::exists(out / "manifest.json"));
}

// --- weights ---

TEST(BadWeights, AFolderWithoutAModelSaysWhatWasExpected) {
  expect_error(run({"eval", "no/such/run", "perplexity"}), 5, {"no/such/run", "run folder"});
  const fs::path empty = fresh("empty");
  expect_error(run({"generate", empty.string()}), 5, {empty.string(), "model.safetensors"});
  expect_error(run({"generate", tiny_config().string()}), 5, {"folder"});
}

TEST(BadWeights, ACheckpointOfAnotherModelNamesTensorAndShapes) {
  const World& world = World::get();
  expect_error(run({"eval", world.run().string(), "perplexity", "model.d_model=48"}), 5,
               {"model.safetensors", "48", "32"});
}

TEST(BadWeights, ResumingAnotherModelsRunNamesTheKey) {
  const World& world = World::get();
  const fs::path other = world.folder() / "other";
  expect_error(run(train_tiny(world.bytes(), other,
                              {"train.resume=" + world.checkpoint().string(), "model.d_model=48"})),
               5, {"model.d_model", "48", "32"});
  EXPECT_FALSE(fs::exists(other / "checkpoints" / "latest"));
}

TEST(BadWeights, ATruncatedCheckpointIsNotUsed) {
  const World& world = World::get();
  const fs::path copy = world.folder() / "torn";
  fs::copy(world.run(), copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const fs::path checkpoint = fs::canonical(copy / "checkpoints" / "latest");
  fs::resize_file(checkpoint / "model.safetensors", 1000);
  expect_error(run({"eval", checkpoint.string(), "perplexity"}), 5, {"model.safetensors"});
  expect_error(run({"inspect", (checkpoint / "model.safetensors").string()}), 5,
               {"model.safetensors"});
}

// --- the machine ---

TEST(BadMachine, NoGpuIsExplained) {
  const World& world = World::get();
  Setting no_gpu;
  no_gpu.environment["CUDA_VISIBLE_DEVICES"] = "-1";
  expect_error(run(train_tiny(world.bytes(), world.folder() / "none", {"run.device=cuda"}), no_gpu),
               8, {"cuda", "no GPU"});
}

TEST(BadMachine, AnUnwritableFolderIsNamed) {
  const World& world = World::get();
  const fs::path file = fresh("blocked") / "file";
  write(file, "not a folder");
  expect_error(run(train_tiny(world.bytes(), file / "run")), 8, {(file / "run").string()});
  expect_error(run({"data", "prepare", world.text().string(), "--out", (file / "out").string()}), 8,
               {file.string()});
  const fs::path locked = fresh("locked");
  fs::permissions(locked, fs::perms::owner_read | fs::perms::owner_exec);
  Setting bound;
  bound.obeys_permissions = true;
  expect_error(run(train_tiny(world.bytes(), locked / "run"), bound), 8, {locked.string()});
  expect_error(
      run({"data", "prepare", world.text().string(), "--out", (locked / "c").string()}, bound), 8,
      {locked.string()});
  EXPECT_TRUE(fs::is_empty(locked));
}

TEST(BadMachine, ARunThatMayNoLongerWriteSaysSoBeforeItTrains) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "read_only";
  ASSERT_EQ(run(train_tiny(world.bytes(), folder, {"schedule.max_steps=5"})).code, 0);
  const std::string before = read(folder / "checkpoints/latest/model.safetensors");
  const auto read_only = fs::perms::owner_read | fs::perms::owner_exec;
  fs::permissions(folder / "checkpoints", read_only);
  Setting bound;
  bound.obeys_permissions = true;
  const auto more = train_tiny(world.bytes(), folder, {"schedule.max_steps=10"});
  expect_error(run(more, bound), 8, {(folder / "checkpoints").string(), "permission", "run.dir"});
  fs::permissions(folder / "checkpoints", fs::perms::owner_all);
  EXPECT_EQ(read(folder / "checkpoints/latest/model.safetensors"), before);
  EXPECT_EQ(run(more).code, 0) << "and goes on once it may write";
}

TEST(BadMachine, AFullDiskLeavesNoHalfPreparedCorpus) {
  const World& world = World::get();
  const fs::path out = world.folder() / "too_large";
  Setting full;
  full.file_limit = 20'000;  // the text has 60,000 bytes
  const std::vector<std::string> prepare{"data", "prepare", world.text().string(), "--out",
                                         out.string()};
  expect_error(run(prepare, full), 8, {out.string()});
  EXPECT_FALSE(fs::exists(out / "manifest.json"));
  EXPECT_EQ(run(prepare).code, 0) << "and there is nothing in the way of the next attempt";
}

TEST(BadMachine, AFullDiskAtTheFirstCheckpointLeavesNone) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "full_at_once";
  Setting full;
  full.file_limit = fs::file_size(world.checkpoint() / "model.safetensors") / 2;
  expect_error(run(train_tiny(world.bytes(), folder, {"schedule.max_steps=5"}), full), 8,
               {folder.string(), "no earlier checkpoint"});
  EXPECT_TRUE(!fs::exists(folder / "checkpoints") || fs::is_empty(folder / "checkpoints"));
}

TEST(BadMachine, AFullDiskKeepsTheEarlierCheckpoint) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "full";
  const Ended first = run(train_tiny(world.bytes(), folder, {"schedule.max_steps=10"}));
  ASSERT_EQ(first.code, 0) << first.err;
  const std::string before = read(folder / "checkpoints/latest/model.safetensors");
  Setting full;
  full.file_limit = before.size() / 2;
  const Ended ended = run(train_tiny(world.bytes(), folder, {"schedule.max_steps=20"}), full);
  expect_error(ended, 8, {folder.string()});
  EXPECT_EQ(read(folder / "checkpoints/latest/model.safetensors"), before);
  for (const auto& entry : fs::directory_iterator(folder / "checkpoints")) {
    EXPECT_THAT(entry.path().filename().string(), MatchesRegex("step_[0-9]+|latest|best"));
  }
  const Ended again = run(train_tiny(world.bytes(), folder, {"schedule.max_steps=20"}));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_TRUE(fs::exists(folder / "checkpoints/step_0000020/COMPLETE"));
}

TEST(BadMachine, ANonFiniteLossNamesTheStep) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "nan";
  const Ended ended =
      run(train_tiny(world.bytes(), folder, {"optim.lr=1e30", "optim.clip_norm=0"}));
  expect_error(ended, 7, {"step ", "optim.lr"});
}

}  // namespace
}  // namespace longconv::test
