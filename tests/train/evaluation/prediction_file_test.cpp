// The three formats of predictions: shapes, values, and nothing before it is whole.
#include "train/evaluation/prediction_file.h"

#include "core/base/error.h"
#include "core/files/mapped_file.h"
#include "core/files/npy.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace longconv::train {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TempFolder;

template <class T>
std::span<const std::byte> bytes(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// Two rows of two and one positions, two values each.
PredictionLayout ragged(Dtype dtype = Dtype::f32) {
  return {.what = "hidden", .dtype = dtype, .lengths = {2, 1}, .width = 2, .per_position = true};
}

template <class T>
std::vector<T> values_of(const files::TensorView& view) {
  std::vector<T> out(view.data.size() / sizeof(T));
  std::memcpy(out.data(), view.data.data(), view.data.size());
  return out;
}

TEST(PredictionFile, ArraysHaveTheShapeOfWhatTheyHold) {
  const TempFolder folder;
  struct Case {
    PredictionLayout layout;
    std::vector<std::int64_t> shape;
  };
  const std::vector<Case> cases{
      {{.what = "loss", .lengths = {4, 2, 3}}, {3}},
      {{.what = "embedding", .lengths = {4, 2}, .width = 3}, {2, 3}},
      {{.what = "hidden", .lengths = {2, 2, 2}, .width = 2, .per_position = true}, {3, 2, 2}}};
  for (const Case& c : cases) {
    const std::int64_t count = *files::element_count(c.shape);
    const std::vector<float> row(static_cast<std::size_t>(count / c.shape[0]), 1.5F);
    for (const char* name : {"a.npy", "a.safetensors"}) {
      const auto file = open_prediction_file(folder / name, c.layout);
      for (std::int64_t i = 0; i < c.shape[0]; ++i) file->write(bytes(row), "");
      EXPECT_FALSE(std::filesystem::exists(folder / name)) << "not before it is whole";
      file->commit();
    }
    const files::MappedFile mapped(folder / "a.npy");
    const files::TensorView view = files::parse_npy(mapped.bytes(), "a.npy");
    EXPECT_EQ(view.shape, c.shape);
    EXPECT_EQ(values_of<float>(view), std::vector<float>(static_cast<std::size_t>(count), 1.5F));
    if (c.layout.per_position) continue;
    const files::SafetensorsFile tensors(folder / "a.safetensors");
    EXPECT_EQ(tensors.tensors().at(c.layout.what).shape, c.shape);
    std::filesystem::remove(folder / "a.npy");
    std::filesystem::remove(folder / "a.safetensors");
  }
}

TEST(PredictionFile, RowsOfSeveralLengthsLieBetweenOffsets) {
  const TempFolder folder;
  const auto file = open_prediction_file(folder / "a.safetensors", ragged());
  file->write(bytes<float>({1, 2, 3, 4}), "");
  file->write(bytes<float>({5, 6}), "");
  file->commit();
  const files::SafetensorsFile read(folder / "a.safetensors");
  EXPECT_EQ(read.tensors().at("hidden").shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_THAT(values_of<float>(read.tensors().at("hidden")), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(values_of<std::int64_t>(read.tensors().at("offsets")), ElementsAre(0, 2, 3));
}

TEST(PredictionFile, AMatrixOfRowsStaysOne) {
  const TempFolder folder;
  PredictionLayout layout = ragged();
  layout.lengths = {2, 2};
  layout.one_length = true;
  const auto file = open_prediction_file(folder / "a.safetensors", layout);
  file->write(bytes<float>({1, 2, 3, 4}), "");
  file->write(bytes<float>({5, 6, 7, 8}), "");
  file->commit();
  const files::SafetensorsFile read(folder / "a.safetensors");
  EXPECT_EQ(read.tensors().size(), 1U);
  EXPECT_EQ(read.tensors().at("hidden").shape, (std::vector<std::int64_t>{2, 2, 2}));
}

TEST(PredictionFile, LinesOfJsonGiveEveryNumberBackAsItWas) {
  const TempFolder folder;
  const std::vector<double> first{0.1, 1.0 / 3.0, -1e-300, 4.0};
  const auto file = open_prediction_file(folder / "a.jsonl", ragged(Dtype::f64));
  file->write(bytes(first), "chr\"1\xff");
  file->write(bytes<double>({5, 6}), "");
  file->commit();
  std::ifstream lines(folder / "a.jsonl");
  std::string line;
  std::getline(lines, line);
  json row = json::parse(line);
  EXPECT_EQ(row["row"], 0);
  EXPECT_EQ(row["name"], "chr\"1\xEF\xBF\xBD");
  EXPECT_EQ(row["hidden"], (json{{first[0], first[1]}, {first[2], first[3]}}));
  std::getline(lines, line);
  row = json::parse(line);
  EXPECT_EQ(row["row"], 1);
  EXPECT_FALSE(row.contains("name"));
  EXPECT_EQ(row["hidden"], (json::array({{5.0, 6.0}})));
  EXPECT_FALSE(std::getline(lines, line));

  const auto losses = open_prediction_file(folder / "b.jsonl", {.what = "loss", .lengths = {3}});
  losses->write(bytes<float>({0.1F}), "");
  losses->commit();
  std::getline(std::ifstream(folder / "b.jsonl"), line);
  EXPECT_EQ(line, "{\"row\": 0, \"loss\": 0.1}") << "0.1, not what a double makes of it";
}

TEST(PredictionFile, WhatAFormatCannotHoldIsSaid) {
  const TempFolder folder;
  EXPECT_EQ(dtype_in("a.safetensors", Dtype::bf16), Dtype::bf16);
  EXPECT_EQ(dtype_in("a.npy", Dtype::bf16), Dtype::f32);
  EXPECT_EQ(dtype_in("a.jsonl", Dtype::f64), Dtype::f64);
  EXPECT_THAT(message_of<UsageError>([&] { static_cast<void>(dtype_in("a.csv", Dtype::f32)); }),
              HasSubstr("a.csv: expected a name ending in .npy, .safetensors or .jsonl"));
  EXPECT_THAT(message_of<UsageError>([&] { open_prediction_file(folder / "a.npy", ragged()); }),
              HasSubstr("the rows have 1 to 2 positions"));
  EXPECT_THAT(message_of<EnvironmentError>(
                  [&] { open_prediction_file(folder / "none/a.safetensors", ragged()); }),
              HasSubstr("cannot write"));
}

TEST(PredictionFile, LeftAloneItLeavesNothing) {
  const TempFolder folder;
  open_prediction_file(folder / "a.safetensors", ragged())->write(bytes<float>({1, 2, 3, 4}), "");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace longconv::train
