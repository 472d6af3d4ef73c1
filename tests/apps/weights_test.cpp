// import, export and inspect of weights as a user calls them: what is written, what is refused.
#include "tests/apps/program.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace longconv::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

fs::path seed(const std::string& name) {
  return source_folder() / "tests/fuzz/corpus/fuzz_torch_file" / name;
}

TEST(Weights, ATrainedModelGoesOutAndComesBack) {
  const World& world = World::get();
  const fs::path exported = world.folder() / "exported";
  const fs::path imported = world.folder() / "imported";
  const Ended out =
      run({"export", world.run().string(), "--format", "safetensors", "--out", exported.string()});
  ASSERT_EQ(out.code, 0) << out.err;
  const Ended in = run({"import", exported.string(), "--out", imported.string(), "--json"});
  ASSERT_EQ(in.code, 0) << in.err;
  const json report = json::parse(in.out);
  EXPECT_EQ(report["family"], "hyena");
  EXPECT_EQ(report["checksums"].size(), 1U);
  EXPECT_FALSE(report["inferred"].empty());
  const Ended back = run(
      {"export", imported.string(), "--format", "safetensors", "--out", exported.string() + "2"});
  ASSERT_EQ(back.code, 0) << back.err;
  EXPECT_EQ(read(exported / "model.safetensors"), read(exported.string() + "2/model.safetensors"));
  const Ended seen = run({"inspect", imported.string(), "--json"});
  EXPECT_EQ(seen.code, 0) << seen.err;
  EXPECT_EQ(json::parse(seen.out)["kind"], "model");

  const Ended again = run({"import", exported.string(), "--out", imported.string()});
  EXPECT_EQ(again.code, 8) << "it does not write over a model";
  EXPECT_THAT(again.err, HasSubstr("is there already"));
}

TEST(Weights, ForeignFilesAreShownAndNotExecuted) {
  const fs::path executed = fs::current_path() / "executed";
  const Ended seen = run({"inspect", seed("program.pt").string(), "--json"});
  ASSERT_EQ(seen.code, 0) << seen.err;
  const json facts = json::parse(seen.out);
  EXPECT_EQ(facts["layout"], "state dict, zip");
  EXPECT_EQ(facts["tensors"].size(), 1U);
  EXPECT_EQ(facts["tensors"][0]["mean"], 1.0);
  EXPECT_THAT(facts["no_tensors"]["x"], HasSubstr("expected a tensor, got object posix.system"));
  EXPECT_FALSE(fs::exists(executed));
}

TEST(Weights, RefusedImportsEndWithFiveAndLeaveNothing) {
  const fs::path folder = World::get().folder() / "refused";
  fs::create_directories(folder);
  const fs::path damaged = folder / "damaged.pt";
  const std::string whole = read(seed("state_dict.pt"));
  write(damaged, whole.substr(0, whole.size() / 2));
  for (const auto& [source, words] : std::vector<std::pair<fs::path, std::string>>{
           {folder / "none.pt", "no such file"},
           {damaged, "truncated"},
           {seed("state_dict.pt"), "no model family knows these tensors"}}) {
    const Ended ended = run({"import", source.string(), "--out", (folder / "model").string()});
    EXPECT_EQ(ended.code, 5) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(words));
    EXPECT_THAT(ended.out, IsEmpty());
  }
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++entries;
  EXPECT_EQ(entries, 1) << "only damaged.pt";
}

}  // namespace
}  // namespace longconv::test
