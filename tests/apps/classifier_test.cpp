// A classifier from generated images to its accuracy beside a logistic regression.
#include "tests/apps/program.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace longconv::test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kConfig = R"([data]
task = "labelled"
batch_size = 10
[data.samples.pixels]
pool = 4
[model]
family = "long_conv"
d_model = 4
n_layers = 1
[optim]
lr = 1e-2
[schedule]
max_steps = 3
[run]
device = "cpu"
)";

TEST(Classifier, TrainsAndIsMeasuredBesideALogisticRegression) {
  const fs::path folder = World::get().folder();
  const std::string shard = (folder / "paths.lcs").string();
  const std::string model = (folder / "paths").string();
  write(folder / "paths.toml", kConfig);
  ASSERT_EQ(run({"data", "generate", "pathfinder", "count=60", "--out", shard}).code, 0);
  const Ended trained =
      run({"train", (folder / "paths.toml").string(), "data.path=" + shard, "run.dir=" + model});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.out, AllOf(HasSubstr("validation loss"), Not(HasSubstr("perplexity"))));
  EXPECT_THAT(trained.err, HasSubstr("longconv eval " + model + " accuracy"));

  const Ended told = run({"eval", model, "accuracy", "--logistic", "--json"});
  ASSERT_EQ(told.code, 0) << told.err;
  const json result = json::parse(told.out);
  EXPECT_EQ(result.at("split"), "test");
  EXPECT_EQ(result.at("samples"), 6);
  EXPECT_GE(result.at("accuracy").get<double>(), 0.0);
  ASSERT_EQ(result.at("baselines").size(), 1U);
  EXPECT_EQ(result.at("baselines")[0].at("name"), "logistic regression on 64 pixels");
  EXPECT_EQ(json::parse(read(fs::path(model) / "results" / "accuracy.json")).at("samples"), 6);
  const Ended text = run({"eval", model, "accuracy", "--logistic"});
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("accuracy       "), HasSubstr("% logistic regression on 64 pixels")));
  EXPECT_EQ(run({"report", model}).code, 0);
  EXPECT_THAT(read(fs::path(model) / "report.html"),
              AllOf(HasSubstr("accuracy on test"), HasSubstr("logistic regression on 64 pixels")));
  EXPECT_EQ(run({"inspect", model, "--json"}).code, 0);

  const Ended perplexity = run({"eval", model, "perplexity"});
  EXPECT_EQ(perplexity.code, 2);
  EXPECT_THAT(perplexity.err, HasSubstr("ask for accuracy"));
  const Ended generated = run({"generate", model, "--prompt", "x"});
  EXPECT_EQ(generated.code, 2);
  EXPECT_THAT(generated.err, HasSubstr("generates no text"));
  const Ended language = run({"eval", World::get().run().string(), "accuracy"});
  EXPECT_EQ(language.code, 2);
  EXPECT_THAT(language.err, HasSubstr("accuracy is for classifiers"));
}

// Genomes of two species; a logistic regression on their words of bases stands beside the model.
TEST(Classifier, OfDnaIsMeasuredBesideKmers) {
  const fs::path folder = World::get().folder() / "species";
  for (const char* species : {"cat", "dog"}) {
    fs::create_directories(folder / "genomes" / species);
    for (const char* strain : {"a", "b", "c"}) {
      std::string bases;
      const std::string unit = species == std::string("cat") ? "ACGTTA" : "GGCATC";
      for (int i = 0; i < 60; ++i) bases += unit;
      write(folder / "genomes" / species / (std::string(strain) + ".fa"), ">s\n" + bases + "\n");
    }
  }
  write(folder / "species.toml", R"([data]
task = "species"
seq_len = 24
batch_size = 8
[data.species]
validation = ["b"]
test = ["c"]
count = 200
held_out_count = 40
[model]
family = "hyena_dna"
d_model = 4
n_layers = 1
[schedule]
max_steps = 2
[run]
device = "cpu"
)");
  const std::string model = (folder / "run").string();
  const Ended trained =
      run({"train", (folder / "species.toml").string(),
           "data.species.folder=" + (folder / "genomes").string(), "run.dir=" + model});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ended told = run({"eval", model, "accuracy", "--logistic", "--json"});
  ASSERT_EQ(told.code, 0) << told.err;
  const json result = json::parse(told.out);
  EXPECT_EQ(result.at("split"), "test");
  EXPECT_EQ(result.at("samples"), 40);
  ASSERT_EQ(result.at("baselines").size(), 3U);
  EXPECT_EQ(result.at("baselines")[1].at("name"), "logistic regression on 256 4-mers");
  EXPECT_EQ(result.at("baselines")[1].at("accuracy"), 1.0);
  // The run knows its letters: sequences of any file can be classified.
  const fs::path out = folder / "logits.jsonl";
  const Ended predicted =
      run({"predict", model, "--input", (folder / "genomes" / "cat" / "c.fa").string(), "--output",
           out.string(), "--what", "logits", "--device", "cpu", "model.filter.max_taps=24"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_EQ(json::parse(read(out)).at("logits").size(), 2U);
}

}  // namespace
}  // namespace longconv::test
