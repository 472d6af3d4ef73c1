// Runs that are no language models: what the data settle of them, their metrics, their resuming.
#include "core/files/atomic_file.h"
#include "data/tasks/dna_labelled.h"
#include "tests/train/loop/tiny_run.h"
#include "train/checkpoint/folder.h"
#include "train/loop/shape.h"
#include "train/report/metrics.h"

#include <gmock/gmock.h>

#include <random>

namespace longconv::train::testing {
namespace {

namespace fs = std::filesystem;
using ::longconv::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// The last value of a metric of the validation part.
double last(const TinyRuns& runs, const std::string& run, const std::string& metric) {
  double out = -1.0;
  for (const MetricRecord& record : read_metrics(runs.run(run) / "metrics.jsonl")) {
    if (record.split != "validation") continue;
    for (const auto& [name, value] : record.values) {
      if (name == metric) out = value;
    }
  }
  return out;
}

/// The tiny run's own file with overrides, its shape resolved.
void resolved(const TinyRuns& runs, RunConfig& config, const std::vector<std::string>& overrides) {
  config::load(config, runs.config().string());
  for (const std::string& text : overrides) config::apply_override(config, text);
  resolve_shape(config);
}

std::vector<std::string> with(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Classifier, LearnsAndReportsItsAccuracy) {
  const TinyRuns runs;
  const Outcome outcome = runs.train("a", with(runs.images(), {"schedule.max_steps=60"}));
  EXPECT_EQ(outcome.step, 60);
  EXPECT_GT(last(runs, "a", "accuracy"), 0.85);
  EXPECT_EQ(last(runs, "a", "samples"), 9.0);
  EXPECT_FALSE(fs::exists(runs.run("a") / "tokenizer"));
  EXPECT_TRUE(fs::exists(runs.run("a") / "report.html"));
  EXPECT_THAT(files::read_text(runs.run("a") / "config.toml"),
              AllOf(HasSubstr("kind = \"classifier\""), HasSubstr("n_classes = 2"),
                    HasSubstr("d_input = 1"), HasSubstr("vocab_size = 0")));
}

TEST(Regressor, LearnsAndReportsItsError) {
  const TinyRuns runs;
  runs.train("a", with(runs.series(), {"schedule.max_steps=2"}));
  const double before = last(runs, "a", "loss");
  runs.train("b", with(runs.series(), {"schedule.max_steps=60"}));
  EXPECT_LT(last(runs, "b", "loss"), 0.7 * before);
  EXPECT_GT(last(runs, "b", "r_squared"), 0.3);
}

/// A shard of sequences of 8 to 16 bases, of which one class has mostly A and T.
fs::path sequences(const TinyRuns& runs) {
  std::mt19937 random(5);
  for (const char* part : {"train", "validation", "test"}) {
    for (const bool rich : {false, true}) {
      std::string text;
      for (int i = 0; i < 40; ++i) {
        text += ">s\n";
        for (auto left = 8 + random() % 9; left > 0; --left) {
          const bool strong = random() % 10 < (rich ? 8U : 2U);
          text += (strong ? "CG" : "AT")[random() % 2];
        }
        text += "\n";
      }
      const fs::path folder = runs.path() / "dna" / part;
      files::create_folders(folder);
      files::write_atomic(folder / (rich ? "rich.fa" : "poor.fa"), text);
    }
  }
  const fs::path shard = runs.path() / "dna.lcs";
  data::prepare_dna_fasta({}, runs.path() / "dna", shard, /*threads=*/1);
  return shard;
}

// From a language model's weights to a classifier of sequences of many lengths, padded on either
// side; of the weights only the head starts afresh.
TEST(Classifier, OfDnaStartsFromALanguageModelsWeights) {
  const TinyRuns runs;
  const std::string shard = sequences(runs).string();
  const std::vector<std::string> dna = {"data.task=labelled", "data.path=" + shard,
                                        "model.family=hyena_dna", "model.vocab_size=12"};
  // 257 ids of bytes, the first 12 of which are the language model's here.
  runs.train("lm", {"model.family=hyena_dna", "schedule.max_steps=2"});
  EXPECT_THAT(message_of<Error>(
                  [&] { runs.train("x", with(dna, {"init.from=" + runs.run("lm").string()})); }),
              HasSubstr("word_embeddings"));
  const std::string from = "init.from=" + runs.run("lm").string();
  for (const char* side : {"left", "right"}) {
    SCOPED_TRACE(side);
    const std::vector<std::string> overrides =
        with(dna, {from, "model.vocab_size=257", "data.samples.pad_side=" + std::string(side),
                   "schedule.max_steps=80", "optim.lr=1e-2"});
    runs.train(side, overrides);
    EXPECT_GT(last(runs, side, "accuracy"), 0.9);
    EXPECT_EQ(last(runs, side, "samples"), 80.0);
    const auto tensors = tensors_of(runs.checkpoints(side) / "latest" / kModelFile);
    EXPECT_EQ(tensors.count("decoder.0.output_transform.weight"), 1U);
    EXPECT_EQ(tensors.count("lm_head.weight"), 0U);
  }
  EXPECT_THAT(differing_tensors(runs.checkpoints("left") / "latest" / kModelFile,
                                runs.checkpoints("right") / "latest" / kModelFile),
              Not(IsEmpty()))
      << "the side of the padding is nothing to the model";
  const auto ragged = [&] { runs.train("r", with(dna, {"model.head.pool=ragged"})); };
  EXPECT_THAT(message_of<ConfigError>(ragged),
              AllOf(HasSubstr("model.head.pool"), HasSubstr("one class a sample")));
}

/// Genomes of two species, three strains each, one rich in G and C.
std::vector<std::string> species(const TinyRuns& runs) {
  std::mt19937 random(6);
  for (const bool rich : {false, true}) {
    const fs::path folder = runs.path() / "genomes" / (rich ? "rich" : "poor");
    files::create_folders(folder);
    for (const char* strain : {"a", "b", "c"}) {
      std::string text = ">s\n";
      for (int i = 0; i < 2000; ++i) {
        text += (random() % 10 < (rich ? 7U : 3U) ? "CG" : "AT")[random() % 2];
      }
      files::write_atomic(folder / (std::string(strain) + ".fa"), text + "\n");
    }
  }
  return {"data.task=species",
          "data.species.folder=" + (runs.path() / "genomes").string(),
          "data.species.validation=[\"b\"]",
          "data.species.test=[\"c\"]",
          "data.species.held_out_count=50",
          "model.family=hyena_dna",
          "optim.lr=1e-2"};
}

// In-context learning with a soft prompt, everything else as it was: only those vectors move.
TEST(SoftPrompt, LearnsBeforeAFrozenModel) {
  const TinyRuns runs;
  const std::vector<std::string> dna = {
      "data.task=prompts",      "data.path=" + sequences(runs).string(),
      "data.prompts.shots=1",   "data.prompts.max_length=16",
      "model.family=hyena_dna", "model.vocab_size=12",
      "model.l_max=70",         "optim.lr=1e-2"};
  // Instruction tuning: the same prompts, all weights.
  runs.train("all", with(dna, {"schedule.max_steps=150", "train.eval_every=0",
                               "train.checkpoint_every=0"}));
  EXPECT_GT(last(runs, "all", "accuracy"), 0.8);
  EXPECT_EQ(last(runs, "all", "samples"), 80.0);
  const std::vector<std::string> soft =
      with(dna, {"init.from=" + runs.run("all").string(), "init.freeze=[\"backbone.*\"]",
                 "model.soft_prompt=3", "schedule.max_steps=4"});
  runs.train("soft", soft);
  EXPECT_THAT(differing_tensors(runs.checkpoints("all") / "latest" / kModelFile,
                                runs.checkpoints("soft") / "latest" / kModelFile),
              ::testing::ElementsAre("soft_prompt"));
  runs.train("longer", with(soft, {"schedule.max_steps=8"}));
  EXPECT_THAT(differing_tensors(runs.checkpoints("soft") / "latest" / kModelFile,
                                runs.checkpoints("longer") / "latest" / kModelFile),
              ::testing::ElementsAre("soft_prompt"));
  EXPECT_THAT(message_of<ConfigError>([&] { runs.train("x", with(soft, {"data.seq_len=69"})); }),
              AllOf(HasSubstr("model.l_max"), HasSubstr("model.soft_prompt")));
}

TEST(Classifier, LearnsTheSpeciesOfStrainsItHasNotSeen) {
  const TinyRuns runs;
  runs.train("a", with(species(runs), {"schedule.max_steps=80"}));
  EXPECT_GT(last(runs, "a", "accuracy"), 0.85);
  EXPECT_EQ(last(runs, "a", "samples"), 50.0);
  EXPECT_THAT(files::read_text(runs.run("a") / "config.toml"),
              AllOf(HasSubstr("kind = \"classifier\""), HasSubstr("n_classes = 2"),
                    HasSubstr("vocab_size = 12")));
  // Without strains held out there is nothing to evaluate on; shorter windows come first.
  files::write_atomic(runs.config(),
                      files::read_text(runs.config()) + "[[data.stage]]\nseq_len = 4\nsteps = 2\n");
  const Outcome outcome =
      runs.train("b", with(species(runs), {"schedule.max_steps=3", "data.species.validation=[]"}));
  EXPECT_EQ(outcome.step, 3);
  EXPECT_EQ(last(runs, "b", "samples"), -1.0);
  EXPECT_THAT(message_of<ConfigError>([&] {
                runs.train("c", with(species(runs), {"data.species.species=[\"rich\"]"}));
              }),
              HasSubstr("expected two or more"));
}

TEST(Classifier, IsResumedBitForBit) {
  const TinyRuns runs;
  // Every evaluation is the best, and would push step 10 out.
  const std::vector<std::string> overrides = with(runs.images(), {"train.eval_every=10"});
  runs.train("whole", overrides);
  runs.train("two", overrides);
  for (const std::int64_t step : list_steps(runs.checkpoints("two"))) {
    if (step > 10) fs::remove_all(runs.checkpoints("two") / step_name(step));
  }
  ASSERT_EQ(newest_whole(runs.checkpoints("two")).filename(), step_name(10));
  runs.train("two", overrides);
  for (const char* file : {kModelFile, kOptimizerFile}) {
    const fs::path whole = runs.checkpoints("whole") / "latest" / file;
    EXPECT_THAT(differing_tensors(whole, runs.checkpoints("two") / "latest" / file), IsEmpty());
    EXPECT_FALSE(differing_tensors(whole, runs.checkpoints("two") / step_name(10) / file).empty())
        << "steps 11 to 20 change nothing";
  }
  const auto tensors = tensors_of(runs.checkpoints("whole") / "latest" / kModelFile);
  EXPECT_EQ(tensors.count("norm.norm.running_var"), 1U) << "the running statistics are not saved";
}

TEST(Shape, IsThatOfTheData) {
  const TinyRuns runs;
  RunConfig images;
  resolved(runs, images, runs.images());
  EXPECT_EQ(images.model.d_input(), 1);
  EXPECT_EQ(images.model.head.n_classes(), 2);
  EXPECT_EQ(images.model.head.kind(), "classifier");
  EXPECT_EQ(images.model.l_max(), 16);
  RunConfig tokens;
  resolved(runs, tokens, with(runs.images(), {"data.samples.pixels.input=tokens"}));
  EXPECT_EQ(tokens.model.d_input(), 0);
  EXPECT_EQ(tokens.model.vocab_size(), 256);
  RunConfig series;
  resolved(runs, series, runs.series());
  EXPECT_EQ(series.model.d_input(), 3);
  EXPECT_EQ(series.model.head.n_classes(), 3);
  EXPECT_EQ(series.model.head.kind(), "regressor");
  RunConfig text;
  resolved(runs, text, {});
  EXPECT_EQ(text.model.head.kind(), "lm");
  EXPECT_EQ(text.model.vocab_size(), 257);
}

TEST(Shape, ThatDoesNotFitIsAnErrorAtTheKey) {
  const TinyRuns runs;
  const auto refused = [&](const std::vector<std::string>& overrides) {
    RunConfig config;
    return message_of<ConfigError>([&] { resolved(runs, config, overrides); });
  };
  EXPECT_THAT(refused(with(runs.images(), {"model.d_input=2"})),
              AllOf(HasSubstr("model.d_input"), HasSubstr("expected 1")));
  EXPECT_THAT(refused(with(runs.images(), {"model.head.n_classes=1"})),
              AllOf(HasSubstr("model.head.n_classes"), HasSubstr("at least 2")));
  EXPECT_THAT(refused(with(runs.images(), {"model.head.kind=lm"})),
              AllOf(HasSubstr("model.head.kind"), HasSubstr("classifier")));
  EXPECT_THAT(refused(with(runs.images(), {"model.head.pool=retrieval"})),
              AllOf(HasSubstr("model.head.pool"), HasSubstr("pairs")));
  EXPECT_THAT(refused({"model.head.kind=classifier"}),
              AllOf(HasSubstr("model.head.kind"), HasSubstr("lm")));
  EXPECT_THAT(refused({"data.task=labelled", "data.path="}),
              AllOf(HasSubstr("data.path"), HasSubstr("labelled")));
  const auto wrong_length = [&] { runs.train("x", with(runs.images(), {"data.seq_len=15"})); };
  EXPECT_THAT(message_of<ConfigError>(wrong_length),
              AllOf(HasSubstr("data.seq_len"), HasSubstr("expected 16")));
}

}  // namespace
}  // namespace longconv::train::testing
