// The whole path: prepare, train, evaluate, generate, inspect, report; results on stdout, machine
// readable where asked, everything else on stderr.
#include "core/files/hash.h"
#include "tests/apps/program.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace longconv::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

json parse_result(const Ended& ended) {
  EXPECT_EQ(ended.code, 0) << ended.err;
  return json::parse(ended.out);
}

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  const auto begin = text.rfind('\n', end);
  return text.substr(begin + 1, end - begin);
}

TEST(Path, PrepareDescribesTheCorpus) {
  const World& world = World::get();
  const json result = parse_result(world.prepared());
  EXPECT_TRUE(result.is_object());
  EXPECT_TRUE(fs::exists(world.bytes() / "manifest.json"));
  EXPECT_EQ(world.pieces_prepared().code, 0) << world.pieces_prepared().err;
  EXPECT_THAT(world.pieces_prepared().out, HasSubstr("300 ids"));
  const json shown = parse_result(run({"inspect", world.bytes().string(), "--json"}));
  EXPECT_TRUE(shown.is_object());
}

TEST(Path, TrainPrintsOneResultLineAndSaysWhatNext) {
  const World& world = World::get();
  const Ended& trained = world.trained();
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_THAT(trained.out, StartsWith(world.run().string() + ": step 40, validation loss "));
  EXPECT_EQ(std::count(trained.out.begin(), trained.out.end(), '\n'), 1);
  EXPECT_THAT(trained.err, HasSubstr("longconv eval " + world.run().string()));
  EXPECT_THAT(trained.err, Not(HasSubstr("\r"))) << "a progress bar, but no terminal";
  for (const char* name :
       {"config.toml", "overrides.txt", "environment.json", "log.txt", "metrics.jsonl",
        "report.html", "checkpoints/latest/COMPLETE", "checkpoints/best/COMPLETE"}) {
    EXPECT_TRUE(fs::exists(world.run() / name)) << name;
  }
  EXPECT_THAT(json::parse(read(world.run() / "environment.json")).at("program").get<std::string>(),
              StartsWith("longconv 0."));
}

TEST(Path, PrintConfigIsIdempotentAndHasTheOverrides) {
  const World& world = World::get();
  const std::vector<std::string> overrides{"optim.lr=1e-3", "model.d_model=48", "--print-config"};
  const Ended first = run(train_tiny(world.bytes(), world.folder() / "printed", overrides));
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("d_model = 48"));
  const fs::path copy = world.folder() / "printed.toml";
  write(copy, first.out);
  EXPECT_EQ(run({"train", copy.string(), "--print-config"}).out, first.out);
  EXPECT_FALSE(fs::exists(world.folder() / "printed"));
}

TEST(Path, DryRunWritesNothing) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "dry";
  const Ended ended = run(train_tiny(world.bytes(), folder, {"--dry-run"}));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_THAT(ended.out, HasSubstr("can be trained"));
}

TEST(Path, JsonLogLinesParse) {
  const World& world = World::get();
  std::vector<std::string> arguments =
      train_tiny(world.bytes(), world.folder() / "logged", {"schedule.max_steps=6"});
  arguments.insert(arguments.end(), {"--log-format", "json"});
  const Ended ended = run(arguments);
  ASSERT_EQ(ended.code, 0) << ended.err;
  std::istringstream lines(ended.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_NO_THROW({
      const json object = json::parse(line);
      EXPECT_TRUE(object.contains("time") && object.contains("level"));
    }) << line;
  }
  EXPECT_GT(count, 3);
}

TEST(Path, EvalMeasuresBesideNgramsAndKeepsTheResult) {
  const World& world = World::get();
  const Ended text = run({"eval", world.run().string(), "perplexity", "--ngrams"});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(last_line(text.out),
              ::testing::MatchesRegex("held-out bits per byte: [0-9.]+ \\(best n-gram [0-9.]+\\)"));
  for (int order = 1; order <= 8; ++order) {
    EXPECT_THAT(text.out, HasSubstr("byte " + std::to_string(order) + "-gram"));
  }

  const json result =
      parse_result(run({"eval", world.run().string(), "perplexity", "--ngrams", "--json"}));
  EXPECT_NEAR(result.at("perplexity").get<double>(), std::exp(result.at("loss").get<double>()),
              1e-9 * result.at("perplexity").get<double>());
  EXPECT_EQ(result.at("ngrams").size(), 8U);
  // The unigram of bytes is beaten after 40 steps, or nothing was learnt.
  EXPECT_LT(result.at("bits_per_byte").get<double>(),
            result.at("ngrams")[0].at("bits_per_byte").get<double>());
  const fs::path weights =
      fs::path(result.at("checkpoint").get<std::string>()) / "model.safetensors";
  EXPECT_EQ(result.at("checkpoint_sha256"), files::hex(files::sha256_file(weights)));
  EXPECT_EQ(result.at("data_fingerprint").get<std::string>().size(), 64U);
  EXPECT_THAT(result.at("config").get<std::string>(), HasSubstr("[model]"));
  const json kept = json::parse(read(world.run() / "results" / "perplexity.json"));
  EXPECT_EQ(kept.at("loss"), result.at("loss"));
}

TEST(Path, OverlapGivesContextAndPredictsTheSameTokens) {
  const World& world = World::get();
  const auto eval = [&](const std::string& overlap) {
    return parse_result(
        run({"eval", world.checkpoint().string(), "perplexity", "--overlap", overlap, "--json"}));
  };
  const json plain = eval("0");
  const json strided = eval("48");
  EXPECT_EQ(plain.at("tokens"), strided.at("tokens"));
  EXPECT_NE(plain.at("loss"), strided.at("loss"));
  const Ended wrong = run({"eval", world.run().string(), "perplexity", "--overlap", "64"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("data.seq_len = 64"));
}

TEST(Path, GenerateStreamsAndRepeatsWithTheSameSeed) {
  const World& world = World::get();
  const auto sample = [&](const std::string& seed) {
    return run({"generate", world.run().string(), "--prompt", "And the ", "--tokens", "20",
                "--seed", seed});
  };
  const Ended one = sample("1");
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_THAT(one.out, StartsWith("And the "));
  EXPECT_GT(one.out.size(), std::string("And the ").size() + 5);
  EXPECT_EQ(sample("1").out, one.out);
  EXPECT_NE(sample("2").out, one.out);

  const json samples = parse_result(run({"generate", world.run().string(), "--prompt", "And ",
                                         "--tokens", "8", "--samples", "2", "--json"}));
  ASSERT_EQ(samples.at("samples").size(), 2U);
  EXPECT_THAT(samples.at("samples")[0].at("text").get<std::string>(), StartsWith("And "));
}

TEST(Path, APromptMayComeFromStdin) {
  Setting setting;
  setting.input = "And the king";
  const Ended ended =
      run({"generate", World::get().run().string(), "--prompt", "-", "--tokens", "3"}, setting);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, StartsWith("And the king"));
}

TEST(Path, InspectShowsEveryKindOfThing) {
  const World& world = World::get();
  const json of_run = parse_result(run({"inspect", world.run().string(), "--json"}));
  EXPECT_EQ(of_run.at("kind"), "run");
  EXPECT_EQ(of_run.at("metrics").at("train").at("step"), 40);
  EXPECT_EQ(of_run.at("latest"), "step_0000040");

  const json of_checkpoint = parse_result(run({"inspect", world.checkpoint().string(), "--json"}));
  EXPECT_EQ(of_checkpoint.at("kind"), "checkpoint");
  EXPECT_EQ(of_checkpoint.at("weights").at("not_finite"), 0);
  // A tied head is stored once, so the file has as many elements as the model parameters; buffers
  // (window, time axis) come on top.
  EXPECT_GE(of_checkpoint.at("weights").at("elements"), of_checkpoint.at("model").at("parameters"));

  const json of_config =
      parse_result(run({"inspect", (world.run() / "config.toml").string(), "--json"}));
  EXPECT_EQ(of_config.at("model").at("parameters"), of_run.at("model").at("parameters"));
  EXPECT_GT(of_config.at("model").at("training_flops_per_token").get<double>(), 0.0);
  EXPECT_EQ(of_config.at("tokens_per_step"), 8 * 64);

  const Ended text = run({"inspect", (world.checkpoint() / "model.safetensors").string()});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("filter_fn"));
}

TEST(Path, InspectCountsWhatIsNotFinite) {
  const fs::path file = World::get().folder() / "odd.npy";
  const std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }";
  std::string header = text + std::string(64 - 10 - text.size() - 1 + 64, ' ') + '\n';
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size() % 256) +
                      static_cast<char>(header.size() / 256) + header;
  const float values[4] = {1.0F, -3.0F, NAN, INFINITY};
  bytes.append(reinterpret_cast<const char*>(values), sizeof values);
  write(file, bytes);
  const json tensor = parse_result(run({"inspect", file.string(), "--json"})).at("tensors").at(0);
  EXPECT_EQ(tensor.at("shape"), json::array({4}));
  EXPECT_EQ(tensor.at("nans"), 1);
  EXPECT_EQ(tensor.at("infinities"), 1);
  EXPECT_EQ(tensor.at("mean"), -1.0);
  EXPECT_EQ(tensor.at("deviation"), 2.0);
  EXPECT_EQ(tensor.at("minimum"), -3.0);
}

TEST(Path, ReportIsOneFile) {
  const World& world = World::get();
  const fs::path out = world.folder() / "compare.html";
  const Ended ended = run({"report", world.run().string(), "--out", out.string()});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, out.string() + "\n");
  EXPECT_THAT(read(out), HasSubstr("<svg"));
  EXPECT_THAT(read(out), Not(HasSubstr("src=\"http")));
  EXPECT_EQ(run({"report", world.bytes().string(), "--out", out.string()}).code, 4);
}

TEST(Path, TheOtherPartsTrainToo) {
  const World& world = World::get();
  const fs::path folder = world.folder() / "hybrid";
  const Ended ended = run({"train", (source_folder() / "configs/smoke/hybrid.toml").string(),
                           "data.path=" + world.pieces().string(), "run.dir=" + folder.string()});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const json result =
      parse_result(run({"eval", folder.string(), "perplexity", "--ngrams", "--json"}));
  EXPECT_EQ(result.at("ngrams").size(), 10U) << "8 of bytes, 2 of subwords";
  EXPECT_THAT(run({"generate", folder.string(), "--prompt", "And the", "--tokens", "5"}).out,
              StartsWith("And the"));
}

TEST(Path, DataBenchTimesBatchesAndTheWaitOfAStep) {
  const World& world = World::get();
  const std::vector<std::string> command{
      "data",      "bench", tiny_config().string(),
      "--steps",   "20",    "data.path=" + world.bytes().string(),
      "--step-ms", "2",     "--json"};
  const json result = parse_result(run(command));
  EXPECT_GT(result.at("items_per_s").get<double>(), 0.0);
  EXPECT_GT(result.at("tokens_per_s").get<double>(), result.at("items_per_s").get<double>());
  const auto wait = result.at("wait_ms").get<double>();
  EXPECT_GT(wait, 0.0);
  EXPECT_GE(result.at("wait_ms_longest").get<double>(), wait);
  EXPECT_NEAR(result.at("wait_share").get<double>(), wait / (wait + 2.0), 1e-9);
  EXPECT_EQ(run({"data", "bench", "no.toml"}).code, 3);
}

TEST(Path, BenchTimesSteps) {
  const json result =
      parse_result(run({"bench", "model", tiny_config().string(), "model.vocab_size=257",
                        "--repeats", "3", "--device", "cpu", "--json"}));
  EXPECT_GT(result.at("tokens_per_s").get<double>(), 0.0);
  EXPECT_GT(result.at("convolution_share").get<double>(), 0.0);
  EXPECT_EQ(result.at("convolutions_per_step"), 2);
  // Two filters a channel are one convolution with two outputs, by the FFT or by what learns.
  for (const char* transform : {"fft", "butterfly"}) {
    const json several = parse_result(
        run({"bench", "model", tiny_config().string(), "model.vocab_size=257",
             "model.family=long_conv", "model.head.kind=classifier", "model.head.n_classes=2",
             "model.filter.channels=2", std::string("model.filter.transform=") + transform,
             "--repeats", "3", "--device", "cpu", "--json"}));
    EXPECT_EQ(several.at("convolutions_per_step"), 2) << transform;
    EXPECT_EQ(several.at("filters_per_convolution"), 2) << transform;
    EXPECT_GT(several.at("convolution_share").get<double>(), 0.0) << transform;
  }
  const json conv =
      parse_result(run({"bench", "conv", "--lengths", "64,128", "--batch", "2", "--channels", "8",
                        "--dtype", "float32", "--device", "cpu", "--repeats", "3", "--json"}));
  EXPECT_FALSE(conv.empty());
  const json around =
      parse_result(run({"bench", "short", "--lengths", "64", "--batch", "2", "--channels", "8",
                        "--dtype", "float32", "--device", "cpu", "--repeats", "3", "--json"}));
  EXPECT_EQ(around.at("timings").size(), 8U) << "two rows of three operators, two projections";
  for (const json& timing : around.at("timings")) {
    EXPECT_GT(timing.at("forward_over_floor").get<double>(), 0.0) << timing;
    EXPECT_GT(timing.at("backward_ms").get<double>(), 0.0) << timing;
  }
}

}  // namespace
}  // namespace longconv::test
