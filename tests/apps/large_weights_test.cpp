// Weights that are large beside the program: import, export and predict hold them once, and take no
// longer than some plain copies of the file.
#include "core/files/npy.h"
#include "core/files/safetensors.h"
#include "tests/apps/program.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <span>

namespace longconv::test {
namespace {

using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

/// A Hyena language model of width `d` and 8 layers: 25 million parameters for 512.
Shapes hyena_shapes(std::int64_t d) {
  const std::int64_t ids = 64;
  const std::int64_t emb = 5;
  const std::int64_t width = 16;
  const std::int64_t length = 64;
  Shapes out = {{"backbone.embeddings.word_embeddings.weight", {ids, d}}};
  for (int i = 0; i < 8; ++i) {
    const std::string layer = fmt::format("backbone.layers.{}.", i);
    const std::string mixer = layer + "mixer.";
    const std::string filter = mixer + "filter_fn.";
    const std::string mlp = filter + "implicit_filter.";
    const Shapes more = {{mixer + "in_proj.weight", {3 * d, d}},
                         {mixer + "in_proj.bias", {3 * d}},
                         {mixer + "out_proj.weight", {d, d}},
                         {mixer + "out_proj.bias", {d}},
                         {mixer + "short_filter.weight", {3 * d, 1, 3}},
                         {mixer + "short_filter.bias", {3 * d}},
                         {filter + "bias", {d}},
                         {filter + "pos_emb.z", {1, length, emb}},
                         {filter + "pos_emb.t", {1, length, 1}},
                         {mlp + "0.weight", {width, emb}},
                         {mlp + "0.bias", {width}},
                         {mlp + "1.freq", {1, width}},
                         {mlp + "2.weight", {width, width}},
                         {mlp + "2.bias", {width}},
                         {mlp + "4.weight", {width, width}},
                         {mlp + "4.bias", {width}},
                         {mlp + "6.weight", {d, width}},
                         {filter + "modulation.deltas", {1, 1, d}},
                         {layer + "norm1.weight", {d}},
                         {layer + "norm1.bias", {d}},
                         {layer + "norm2.weight", {d}},
                         {layer + "norm2.bias", {d}},
                         {layer + "mlp.fc1.weight", {4 * d, d}},
                         {layer + "mlp.fc1.bias", {4 * d}},
                         {layer + "mlp.fc2.weight", {d, 4 * d}},
                         {layer + "mlp.fc2.bias", {d}}};
    out.insert(out.end(), more.begin(), more.end());
  }
  out.insert(out.end(), {{"backbone.ln_f.weight", {d}}, {"backbone.ln_f.bias", {d}}});
  return out;
}

/// Random weights of these shapes. One stretch of numbers serves them all: the writer is not to
/// hold what its children are measured by.
void write_weights(const fs::path& path, const Shapes& shapes) {
  const auto count = [](const std::vector<std::int64_t>& shape) {
    return static_cast<std::size_t>(*files::element_count(shape));
  };
  std::size_t most = 0;
  for (const auto& [name, shape] : shapes) most = std::max(most, count(shape));
  std::mt19937 random(1);
  std::vector<float> values(most);
  for (float& value : values) value = 1e-9F * static_cast<float>(random() % 100'000);
  std::vector<files::TensorView> views;
  for (const auto& [name, shape] : shapes) {
    const std::span<const float> part(values.data(), count(shape));
    views.push_back({name, Dtype::f32, shape, std::as_bytes(part)});
  }
  files::write_safetensors(path, views);
}

/// Seconds of processor time that a plain copy of the file takes.
double copy_seconds(const fs::path& from, const fs::path& to) {
  const std::clock_t begin = std::clock();
  const std::string bytes = read(from);
  write(to, bytes);
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

TEST(LargeWeights, AreHeldOnceAndPassAtTheSpeedOfCopies) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have a memory and a clock of their own";
#endif
  const fs::path folder = World::get().folder() / "large";
  const auto place = [&](const char* what, const char* size) {
    return (folder / (std::string(what) + "_" + size)).string();
  };
  const std::vector<std::int64_t> ids = {1, 2, 3, 4, 5, 6, 7, 8};
  fs::create_directories(folder);
  files::write_npy(folder / "ids.npy", {"", Dtype::i64, {1, 8}, std::as_bytes(std::span(ids))});
  // What each command costs whatever it is given, then beside it.
  std::map<std::string, Ended> small;
  std::uint64_t file_bytes = 0;
  double copy_s = 0.0;
  for (const char* size : {"small", "large"}) {
    const bool large = std::string(size) == "large";
    const fs::path source = place("source", size);
    fs::create_directories(source);
    write_weights(source / "model.safetensors", hyena_shapes(large ? 512 : 8));
    if (large) {
      file_bytes = fs::file_size(source / "model.safetensors");
      ASSERT_GT(file_bytes, 90U << 20);
      copy_s = copy_seconds(source / "model.safetensors", folder / "copy");
    }
    const std::string model = place("model", size);
    const std::vector<std::vector<std::string>> commands = {
        {"import", source.string(), "--out", model},
        {"export", model, "--format", "safetensors", "--out", place("export", size)},
        {"predict", model, "--input", (folder / "ids.npy").string(), "--output",
         place("hidden", size) + ".npy", "--what", "hidden", "--device", "cpu"}};
    for (const std::vector<std::string>& command : commands) {
      const Ended ended = run(command);
      ASSERT_EQ(ended.code, 0) << ended.err;
      if (!large) {
        small[command[0]] = ended;
        continue;
      }
      const Ended& base = small.at(command[0]);
      // A row of 8 tokens has no activations to speak of.
      EXPECT_LE(static_cast<double>(ended.peak_bytes) - static_cast<double>(base.peak_bytes),
                1.2 * static_cast<double>(file_bytes))
          << command[0];
      // A copy by the system is the best there is; checksums, checks and a busy machine on top.
      EXPECT_LE(ended.cpu_s - base.cpu_s, 12.0 * copy_s + 0.5) << command[0];
    }
  }
  EXPECT_EQ(fs::file_size(folder / "export_large" / "model.safetensors") > file_bytes, true)
      << "with the names of shared tensors";
  fs::remove_all(folder);
}

}  // namespace
}  // namespace longconv::test
