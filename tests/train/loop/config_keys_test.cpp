// No key exists that no code reads: tiny runs that reach every code path read them all.
#include "core/files/atomic_file.h"
#include "data/tasks/dna_labelled.h"
#include "tests/train/loop/glue_shards.h"
#include "tests/train/loop/masked_run.h"
#include "tests/train/loop/tiny_run.h"
#include "train/loop/finetune.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>

namespace longconv::train::testing {
namespace {

using ::testing::IsEmpty;

/// Paths of `config` that no one has read; optim.group[3].lr counts as optim.group[].lr.
std::set<std::string> paths(const config::Section& config, bool read) {
  std::set<std::string> out;
  for (const config::KeyBase* key : config::all_keys(config)) {
    std::string path = key->path();
    if (const auto open = path.find('['); open != std::string::npos) {
      path.erase(open + 1, path.find(']') - open - 1);
    }
    if (key->was_read() == read) out.insert(path);
  }
  return out;
}

std::vector<std::string> unread(const std::vector<const RunConfig*>& configs) {
  std::set<std::string> all;
  std::set<std::string> read;
  for (const RunConfig* config : configs) {
    all.merge(paths(*config, false));
    read.merge(paths(*config, true));
  }
  std::vector<std::string> out;
  for (const std::string& path : all) {
    if (read.count(path) == 0) out.push_back(path);
  }
  return out;
}

TEST(ConfigKeys, AreAllRead) {
  const TinyRuns runs;
  std::ofstream(runs.path() / "g.fa") << ">c\n" << std::string(400, 'A') << "\n";
  std::ofstream(runs.path() / "i.bed") << "c\t0\t300\ttrain\nc\t300\t400\tvalid\n";
  std::vector<std::vector<std::string>> routes = {
      {"model.attention.layers=[1]", "model.attention.n_heads=2", "model.attention.rotary_dim=4",
       "model.order=3", "train.checkpoint_minutes=1.0", "model.filter.lr=1e-3",
       "model.filter.lr_positions=1e-4"},
      // So small a rate that no evaluation is better than the one before.
      {"schedule.name=plateau", "train.eval_every=1", "optim.lr=1e-12"},
      {"schedule.name=timm_cosine", "optim.name=decoupled_adamw",
       "init.from=" + runs.run("run1").string(), "init.freeze=[\"*.norm1.*\"]"},
      {"data.rows=documents", "data.bucket_steps=2"},
      {"data.task=dna", "data.dna.genome=" + (runs.path() / "g.fa").string(),
       "data.dna.intervals=" + (runs.path() / "i.bed").string(), "data.dna.shift_left=3",
       "train.eval_every=1"},
  };
  for (const std::string name : {"a", "b", "c"}) {
    for (const char* species : {"x", "y"}) {
      std::filesystem::create_directories(runs.path() / "genomes" / species);
      std::ofstream(runs.path() / "genomes" / species / (name + ".fa"))
          << ">c\nACGTACGTACGTACGTACGT\n";
    }
  }
  routes.push_back(
      {"data.task=species", "data.species.folder=" + (runs.path() / "genomes").string(),
       "data.species.validation=[\"b\"]", "data.species.test=[\"c\"]", "model.head.pool=last"});
  for (const char* part : {"train", "test"}) {
    files::create_folders(runs.path() / "own" / part);
    for (const char* name : {"a.fa", "b.fa"}) {
      std::ofstream(runs.path() / "own" / part / name) << ">1\nACGT\n>2\nAC\n>3\nGGC\n";
    }
  }
  data::prepare_dna_fasta({}, runs.path() / "own", runs.path() / "own.lcs", /*threads=*/1);
  const std::vector<std::string> prompts = {
      "data.task=prompts",    "data.path=" + (runs.path() / "own.lcs").string(),
      "data.prompts.shots=1", "data.prompts.max_length=4",
      "data.seq_len=20",      "model.soft_prompt=2",
      "model.vocab_size=12",  "model.l_max=22"};
  routes.push_back(runs.images());
  routes.back().emplace_back("model.filter.transform=butterfly");
  routes.push_back(runs.series());
  routes.push_back(prompts);
  const std::string without_stage = files::read_text(runs.config());
  const std::size_t staged = routes.size() - 3;  // whole samples know no stages
  files::write_atomic(runs.config(), without_stage + "[[data.stage]]\nseq_len = 8\nsteps = 1\n");
  std::vector<std::unique_ptr<RunConfig>> configs;
  std::vector<const RunConfig*> views;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (i == staged) files::write_atomic(runs.config(), without_stage);
    auto config = std::make_unique<RunConfig>();
    config::load(*config, runs.config().string());
    for (const std::string& text : routes[i]) config::apply_override(*config, text);
    config->run.dir.set(runs.run("run" + std::to_string(i)).string());
    config->schedule.max_steps.set(3);
    config->schedule.warmup_steps.set(1);
    Launch launch;
    launch.config_path = runs.config().string();
    longconv::train::train(*config, launch);
    views.push_back(config.get());
    configs.push_back(std::move(config));
  }
  const MaskedRun masked;
  auto bert = masked.config(
      "bert", {"schedule.max_steps=3", "model.filter.lr=1e-3", "model.filter.lr_positions=1e-5"});
  Launch launch;
  launch.config_path = masked.file().string();
  longconv::train::train(*bert, launch);
  views.push_back(bert.get());
  Launch tuning = launch;
  tuning.overrides = {
      "data.task=glue",
      "data.path=" + glue_shard("sst2", masked.folder("glue"), masked.folder("vocab.txt")).string(),
      "model.head.pool=first",
      "init.from=" + masked.folder("bert").string(),
      "schedule.max_steps=1",
      "schedule.warmup_steps=0"};
  auto glue = masked.config("glue_run", tuning.overrides);
  tuning.overrides.push_back("run.dir=" + masked.folder("glue_run").string());
  finetune(*glue, tuning);
  longconv::train::train(*glue, tuning);
  views.push_back(glue.get());
  EXPECT_GT(configs[0]->optim.group.size(), 0U) << "[[optim.group]]'s keys were not tried";
  EXPECT_THAT(unread(views), IsEmpty()) << "keys that no code reads";
}

TEST(ConfigKeys, AnUnreadOneIsNoticed) {
  struct Extra : RunConfig {
    config::Key<std::int64_t> nobody{this, "nobody", 1, "read by no code"};
    config::Key<std::int64_t> somebody{this, "somebody", 1, "read by this test"};
  };
  Extra extra;
  EXPECT_EQ(extra.somebody(), 1);
  const std::vector<std::string> found = unread({&extra});
  EXPECT_EQ(std::count(found.begin(), found.end(), "nobody"), 1);
  EXPECT_EQ(std::count(found.begin(), found.end(), "somebody"), 0);
}

}  // namespace
}  // namespace longconv::train::testing
