// Labelled data sets from their published files to batches.
#include "data/tasks/labelled.h"

#include "core/base/error.h"
#include "data/formats/png.h"
#include "data/tasks/samples.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>

#include <numeric>

namespace longconv::data {
namespace {

using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int64_t> values_of(const SampleView& shard, std::int64_t sample, int part = 0) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(shard.length(sample, part)));
  shard.read(sample, part, out);
  return out;
}

class Labelled : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path out() const { return folder_ / "out.lcs"; }
  test::ScratchFolder folder_;
};

class PathfinderFolder : public Labelled {
 protected:
  PathfinderFolder() {
    std::filesystem::create_directories(folder_ / "imgs/0");
    std::string lines;
    for (int i = 0; i < 12; ++i) {
      Picture picture{4, 4, 1, std::vector<std::uint8_t>(16, static_cast<std::uint8_t>(i))};
      const std::string name = "sample_" + std::to_string(i) + ".png";
      write_png(folder_ / ("imgs/0/" + name), picture);
      lines += "imgs/0 " + name + " " + std::to_string(i) + " " + std::to_string(i % 2) + " 1.0\n";
    }
    put(folder_ / "metadata/0.npy", lines);
  }
  Written prepare() { return prepare_pathfinder(config_, folder_.path(), out(), 3); }
  PathfinderFilesConfig config_;
};

TEST_F(PathfinderFolder, IsReadInOrder) {
  const Written done = prepare();
  EXPECT_EQ(done.samples, 12);
  EXPECT_EQ(done.skipped, 0);
  const SampleShard shard(out());
  for (int i = 0; i < 12; ++i) {
    EXPECT_THAT(values_of(shard.view(), i), ::testing::Each(i));
    EXPECT_EQ(shard.view().label(i), i % 2);
  }
}

TEST_F(PathfinderFolder, OneEmptyImageIsLeftOut) {
  put(folder_ / "imgs/0/sample_3.png", "");
  const Written done = prepare();
  EXPECT_EQ(done.samples, 11);
  EXPECT_EQ(done.skipped, 1);
  const SampleShard shard(out());
  EXPECT_EQ(shard.view().column(3, 1), 4) << "the number in the folder stays known";
  put(folder_ / "imgs/0/sample_5.png", "no PNG");
  EXPECT_THAT(message_of<DataError>([&] { prepare(); }),
              HasSubstr("2 of 6 images cannot be read, the last: "));
  config_.bad_share.set(0.2);
  EXPECT_EQ(prepare().skipped, 2);
}

TEST_F(PathfinderFolder, AMissingOrOtherImageIsAnError) {
  write_png(folder_ / "imgs/0/sample_7.png", {2, 8, 1, std::vector<std::uint8_t>(16)});
  EXPECT_THAT(message_of<DataError>([&] { prepare(); }),
              HasSubstr("sample_7.png: 2 x 8 pixels, the images before have 4 x 4"));
  std::filesystem::remove(folder_ / "imgs/0/sample_7.png");
  EXPECT_THAT(message_of<DataError>([&] { prepare(); }), HasSubstr("sample_7.png"));
  EXPECT_FALSE(std::filesystem::exists(out()));
}

TEST_F(Labelled, CifarIsGreyOrInColours) {
  std::string record(3073, '\0');
  record[0] = 3;
  record[1] = record[1 + 1024] = record[1 + 2048] = 100;
  record[2] = static_cast<char>(200);  // red
  for (int i = 1; i <= 5; ++i) {
    put(folder_ / ("data_batch_" + std::to_string(i) + ".bin"), record + record);
  }
  put(folder_ / "test_batch.bin", record);
  CifarConfig config;
  EXPECT_EQ(prepare_cifar(config, folder_.path(), out(), 1).samples, 11);
  const SampleShard grey(out());
  EXPECT_EQ(values_of(grey.view(), 10)[0], 100);
  EXPECT_EQ(values_of(grey.view(), 10)[1], 60) << "0.299 of the red";
  SampleConfig read;
  read.path.set(out().string());
  read.pixels.scale.set("standard");
  read.split.part.set("test");
  const SampleDataset data(read);
  EXPECT_EQ(data.size(), 1);
  const Batch batch = data.get(std::vector<std::int64_t>{0});
  EXPECT_EQ(batch.input.sizes(), (at::IntArrayRef{1, 1024, 1}));
  EXPECT_NEAR(batch.input.const_data_ptr<float>()[0], (100 - 122.6) / 61.0, 1e-5);

  config.colour.set(true);
  prepare_cifar(config, folder_.path(), out(), 1);
  const SampleDataset colours(read);
  const Batch rgb = colours.get(std::vector<std::int64_t>{0});
  EXPECT_EQ(rgb.input.sizes(), (at::IntArrayRef{1, 1024, 3}));
  EXPECT_NEAR(rgb.input.const_data_ptr<float>()[3], (200 / 255.0 - 0.4914) / 0.247, 1e-5);
  put(folder_ / "data_batch_4.bin", record.substr(1));
  EXPECT_THAT(message_of<DataError>([&] { prepare_cifar(config, folder_.path(), out(), 1); }),
              HasSubstr("data_batch_4.bin: 3072 bytes"));
}

TEST_F(Labelled, FashionMnistFromDebian) {
  // Package dataset-fashion-mnist (MIT licence); scripts/test installs it where it can.
  const std::filesystem::path installed = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(installed / "train-images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "Debian's dataset-fashion-mnist is not installed";
  }
  MnistConfig config;
  config.fashion.set(true);
  EXPECT_EQ(prepare_mnist(config, installed, out(), 1).samples, 70'000);
  SampleConfig read;
  read.path.set(out().string());
  read.pixels.scale.set("unit");
  const SampleDataset train(read);
  EXPECT_EQ(train.size(), 54'000);
  EXPECT_EQ(train.seq_len(), 784);
  EXPECT_EQ(train.facts().classes[9], "ankle boot");
  read.split.part.set("test");
  const SampleDataset test(read);
  ASSERT_EQ(test.size(), 10'000);
  std::vector<std::int64_t> all(10'000);
  std::iota(all.begin(), all.end(), 0);
  const Batch batch = test.get(all);
  std::array<int, 10> labels{};
  const auto* target = batch.target.const_data_ptr<std::int64_t>();
  for (int i = 0; i < 10'000; ++i) ++labels[static_cast<std::size_t>(target[i])];
  EXPECT_THAT(labels, ::testing::Each(1000));
  double sum = 0;
  const auto* input = batch.input.const_data_ptr<float>();
  for (int i = 0; i < 10'000 * 784; ++i) sum += input[i];
  EXPECT_NEAR(sum / (10'000 * 784), 0.2868, 0.0005) << "the set's known mean";
}

TEST_F(Labelled, MnistLabelsMustBelongToTheirImages) {
  const auto idx = [](const std::string& header, const std::string& data) {
    std::string out("\0\0\x08", 3);
    return out + header + data;
  };
  const std::string images = std::string("\3\0\0\0\2\0\0\0\1\0\0\0\1", 13);
  for (const char* prefix : {"train", "t10k"}) {
    put(folder_ / (std::string(prefix) + "-images-idx3-ubyte"), idx(images, "ab"));
    put(folder_ / (std::string(prefix) + "-labels-idx1-ubyte"),
        idx(std::string("\1\0\0\0\2", 5), "\1\2"));
  }
  EXPECT_EQ(prepare_mnist(MnistConfig(), folder_.path(), out(), 1).samples, 4);
  put(folder_ / "t10k-labels-idx1-ubyte", idx(std::string("\1\0\0\0\2", 5), "\1\12"));
  EXPECT_THAT(
      message_of<DataError>([&] { prepare_mnist(MnistConfig(), folder_.path(), out(), 1); }),
      HasSubstr("label 10 at byte 9"));
  put(folder_ / "t10k-labels-idx1-ubyte", idx(std::string("\1\0\0\0\1", 5), "\1"));
  EXPECT_THAT(
      message_of<DataError>([&] { prepare_mnist(MnistConfig(), folder_.path(), out(), 1); }),
      HasSubstr("its labels do not belong to"));
  std::filesystem::remove(folder_ / "t10k-labels-idx1-ubyte");
  EXPECT_THAT(
      message_of<DataError>([&] { prepare_mnist(MnistConfig(), folder_.path(), out(), 1); }),
      HasSubstr("neither t10k-labels-idx1-ubyte nor"));
}

TEST_F(Labelled, ImdbIsCharactersOfTheTrainingPart) {
  put(folder_ / "train/neg/1_2.txt", "abba<br />");
  put(folder_ / "train/neg/0_1.txt",
      "\xC3\xA4"
      "a");
  put(folder_ / "train/pos/0_9.txt", "ba");
  put(folder_ / "test/neg/0_1.txt", "abz\xC3\xA4");
  put(folder_ / "test/pos/0_8.txt", "aaaaaaaa");
  ImdbConfig config;
  config.min_frequency.set(2);
  config.max_length.set(5);
  EXPECT_EQ(prepare_imdb(config, folder_.path(), out(), 1).samples, 5);
  const SampleShard shard(out());
  EXPECT_EQ(read_facts(shard.view()).symbols,
            (std::vector<std::string>{"<pad>", "<unk>", "<eos>", "a", "b"}))
      << "four each of b (one in <br />) and a: then by code point; all others once";
  EXPECT_THAT(values_of(shard.view(), 0), ElementsAre(1, 3, 2)) << "review 0 comes before 1";
  EXPECT_EQ(shard.view().label(2), 1);
  EXPECT_THAT(values_of(shard.view(), 3), ElementsAre(3, 4, 1, 1, 2));
  EXPECT_THAT(values_of(shard.view(), 4), ElementsAre(3, 3, 3, 3, 2)) << "cut, with its end";

  config.coding.set("bytes");
  prepare_imdb(config, folder_.path(), out(), 1);
  const SampleShard bytes(out());
  EXPECT_THAT(values_of(bytes.view(), 0), ElementsAre(0xC4, 0xA5, 'a' + 1));
  EXPECT_EQ(bytes.view().layout().vocabulary, 257);

  put(folder_ / "train.tsv", "1\tgood\r\n0\tbad\n");
  EXPECT_EQ(prepare_imdb(config, folder_.path(), out(), 1).samples, 4);
}

TEST_F(Labelled, ImdbMistakesHaveAPlace) {
  for (const char* part : {"train/neg", "train/pos", "test/neg", "test/pos"}) {
    put(folder_ / part / "0_1.txt", "text");
  }
  const auto says = [&] {
    ImdbConfig config;
    config.coding.set("bytes");
    return message_of<DataError>([&] { prepare_imdb(config, folder_.path(), out(), 1); });
  };
  put(folder_ / "train/pos/0_3.txt", "again");
  EXPECT_THAT(says(), HasSubstr("review 0 a second time"));
  std::filesystem::remove(folder_ / "train/pos/0_3.txt");
  put(folder_ / "train/pos/1_3.txt", "bad \xff");
  EXPECT_THAT(says(), HasSubstr("1_3.txt: not UTF-8 at byte 4"));
  put(folder_ / "train/pos/1_3.txt", "");
  EXPECT_THAT(says(), HasSubstr("an empty review"));
  std::filesystem::rename(folder_ / "train/pos/1_3.txt", folder_ / "train/pos/notes.md");
  EXPECT_THAT(says(), HasSubstr("notes.md: expected names like 123_7.txt"));
  std::filesystem::remove_all(folder_ / "test/pos");
  std::filesystem::remove(folder_ / "train/pos/notes.md");
  EXPECT_THAT(says(), HasSubstr("test/pos: no reviews"));
  put(folder_ / "test.tsv", "1\tgood\n1.07\tgood\n");
  EXPECT_THAT(says(), HasSubstr("test.tsv:2: label \"1.07\", expected 0 or 1"));
  put(folder_ / "test.tsv", "\xEF\xBB\xBF");
  EXPECT_THAT(says(), HasSubstr("test.tsv: empty"));
}

TEST_F(Labelled, AanIsPairsWithOrdinaryQuotes) {
  put(folder_ / "new_aan_pairs.train.tsv", "1.0\t7\t8\t\"abc\tde\r\n0.0\t6\t9\tab\"\tc\n");
  put(folder_ / "new_aan_pairs.eval.tsv", "0\t1\t2\tx\ty\n");
  put(folder_ / "new_aan_pairs.test.tsv", "1\t1\t2\tx\ty");
  AanConfig config;
  config.coding.set("bytes");
  EXPECT_EQ(prepare_aan(config, folder_.path(), out(), 1).samples, 4);
  const SampleShard shard(out());
  EXPECT_THAT(values_of(shard.view(), 0, 0), ElementsAre('"' + 1, 'a' + 1, 'b' + 1, 'c' + 1));
  EXPECT_THAT(values_of(shard.view(), 0, 1), ElementsAre('d' + 1, 'e' + 1));
  EXPECT_EQ(shard.view().label(0), 1);
  EXPECT_EQ(shard.view().label(1), 0);
  SampleConfig read;
  read.path.set(out().string());
  EXPECT_EQ(SampleDataset(read).get(std::vector<std::int64_t>{0, 1}).input.size(0), 4);

  const auto says = [&](const std::string& line) {
    put(folder_ / "new_aan_pairs.eval.tsv", "0\t1\t2\tx\ty\n" + line);
    return message_of<DataError>([&] { prepare_aan(config, folder_.path(), out(), 1); });
  };
  EXPECT_THAT(says("0\t1\t2\tx\n"), HasSubstr("eval.tsv:2: 4 fields between tabs, expected 5"));
  EXPECT_THAT(says("2\t1\t2\tx\ty\n"), HasSubstr("eval.tsv:2: label \"2\", expected 0 or 1"));
  EXPECT_THAT(says("0\t1\t2\tx\t\n"), HasSubstr("eval.tsv:2: field 5 is empty"));
}

TEST_F(Labelled, AanRefusesDuplicateIds) {
  const auto prepare = [&](const std::string& lines, bool allow) {
    put(folder_ / "new_aan_pairs.train.tsv", lines);
    put(folder_ / "new_aan_pairs.eval.tsv", "0\t1\t2\tx\ty\n");  // other files may have them again
    put(folder_ / "new_aan_pairs.test.tsv", "0\t1\t2\tx\ty\n");
    AanConfig config;
    config.coding.set("bytes");
    config.allow_duplicates.set(allow);
    return prepare_aan(config, folder_.path(), out(), 1).samples;
  };
  const auto says = [&](const std::string& lines) {
    return message_of<DataError>([&] { prepare(lines, false); });
  };
  EXPECT_EQ(prepare("0\t1\t2\tx\ty\n1\t1\t3\tx\tz\n0\t3\t2\tz\ty\n", false), 5);
  const std::string twice = "0\t1\t2\tx\ty\n1\t1\t3\tx\tz\n0\t1\t2\tx\ty\n";
  EXPECT_THAT(says(twice),
              ::testing::AllOf(HasSubstr("train.tsv:3: the pair 1, 2 a second time, first at "),
                               HasSubstr("train.tsv:1; allow_duplicates=true")));
  EXPECT_EQ(prepare(twice, true), 5);
  EXPECT_THAT(says("0\t1\t2\tx\ty\n1\t3\t2\tx\tz\n"),
              HasSubstr("train.tsv:2: the id 2 stands for another text than at "));
}

}  // namespace
}  // namespace longconv::data
