// Predictions against the model called directly, row by row, however the rows are cut into passes.
#include "train/evaluation/predict.h"

#include "core/base/error.h"
#include "tests/models/small_models.h"
#include "tests/support/temp_folder.h"
#include "tests/train/evaluation/fake_model.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <limits>

namespace longconv::train {
namespace {

using data::TokenRow;
using longconv::testing::FakeModel;
using longconv::testing::g4;
using longconv::testing::golden_model;
using longconv::testing::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Rows from memory.
class ListedRows final : public data::TokenRows {
 public:
  explicit ListedRows(std::vector<TokenRow> rows) : rows_(std::move(rows)) {}
  bool next(TokenRow& row) override {
    if (at_ == rows_.size()) return false;
    row = rows_[at_++];
    return true;
  }

 private:
  std::vector<TokenRow> rows_;
  std::size_t at_ = 0;
};

/// Keeps what it is given.
class KeptFile final : public PredictionFile {
 public:
  explicit KeptFile(Dtype dtype) : dtype_(dtype) {}
  void write(std::span<const std::byte> values, const std::string& name) override {
    const at::ScalarType type = dtype_ == Dtype::f64    ? at::kDouble
                                : dtype_ == Dtype::bf16 ? at::kBFloat16
                                                        : at::kFloat;
    at::Tensor row = at::empty({static_cast<std::int64_t>(values.size() / size_of(dtype_))}, type);
    std::memcpy(row.data_ptr(), values.data(), values.size());
    rows.push_back(row);
    names.push_back(name);
  }
  void commit() override {}
  std::vector<at::Tensor> rows;
  std::vector<std::string> names;

 private:
  Dtype dtype_;
};

/// Rows of ids 7 to 11 with the given lengths, no two alike.
std::vector<TokenRow> rows_of(const std::vector<std::int64_t>& lengths) {
  std::vector<TokenRow> rows;
  for (const std::int64_t length : lengths) {
    TokenRow row;
    for (std::int64_t t = 0; t < length; ++t) {
      row.ids.push_back(7 + (3 * t + t * t / 5 + std::ssize(rows)) % 5);
    }
    row.name = "row" + std::to_string(rows.size());
    row.where = "rows: " + row.name;
    rows.push_back(row);
  }
  return rows;
}

at::Tensor ids_of(const TokenRow& row) { return torch::tensor(row.ids, at::kLong).unsqueeze(0); }

std::vector<std::int64_t> lengths_of(const std::vector<TokenRow>& rows) {
  std::vector<std::int64_t> out;
  for (const TokenRow& row : rows) out.push_back(std::ssize(row.ids));
  return out;
}

PredictOptions options(const std::string& what, const std::string& precision = "float64") {
  PredictOptions out;
  out.what = what;
  out.precision = precision;
  out.dtype = precision == "float64" ? Dtype::f64 : Dtype::f32;
  out.width = what == "loss" ? 0 : what == "logits" ? 16 : 8;
  out.per_position = what == "logits" || what == "hidden";
  return out;
}

KeptFile run(models::Model& model, const std::vector<TokenRow>& rows,
             const PredictOptions& options) {
  KeptFile file(options.dtype);
  ListedRows listed(rows);
  predict(model, listed, lengths_of(rows), options, file);
  return file;
}

double loss_of(const at::Tensor& logits, const TokenRow& row) {
  const at::Tensor nll = -logits[0].log_softmax(-1);
  double sum = 0.0;
  std::int64_t count = 0;
  for (std::size_t t = 0; t + 1 < row.ids.size(); ++t) {
    if (!row.counts(t) || !row.counts(t + 1)) continue;
    sum += nll[static_cast<std::int64_t>(t)][row.ids[t + 1]].item<double>();
    ++count;
  }
  return sum / static_cast<double>(count);
}

TEST(Predict, AMatrixInFloat64IsTheModelsOwnAnswerBitForBit) {
  const auto model = golden_model(g4(true), at::kDouble);
  const auto rows = rows_of({16, 16, 16});
  std::vector<at::Tensor> ids;
  for (const TokenRow& row : rows) ids.push_back(ids_of(row));
  const at::NoGradGuard no_grad;
  const at::Tensor all = at::cat(ids);
  for (const std::string what : {"logits", "hidden"}) {
    const at::Tensor want = what == "logits" ? model->logits(all) : model->hidden(all);
    PredictOptions how = options(what);
    how.rows_alike = true;
    const KeptFile got = run(*model, rows, how);
    ASSERT_EQ(got.rows.size(), 3U);
    for (std::int64_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(at::equal(got.rows[static_cast<std::size_t>(i)], want[i].flatten())) << what;
    }
  }
}

TEST(Predict, RowsOfSeveralLengthsComeInOrderAndAsIfAlone) {
  const std::vector<std::int64_t> lengths{18, 3, 17, 16, 2, 18, 9, 16, 5, 17};
  const auto rows = rows_of(lengths);
  const at::NoGradGuard no_grad;
  for (const std::string precision : {"float64", "float32"}) {
    const bool wide = precision == "float64";
    const auto model = golden_model(g4(true), wide ? at::kDouble : at::kFloat);
    const double tolerance = wide ? 1e-13 : 1e-5;
    // One token, some rows, and everything a pass; the same windows or several.
    for (const std::int64_t pass_bytes : {1, 40, 100000}) {
      PredictOptions how = options("hidden", precision);
      how.pass_bytes = pass_bytes;
      const KeptFile got = run(*model, rows, how);
      ASSERT_EQ(got.rows.size(), rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(got.names[i], rows[i].name);
        const at::Tensor want = model->hidden(ids_of(rows[i])).flatten();
        ASSERT_EQ(got.rows[i].sizes(), want.sizes());
        EXPECT_LT((got.rows[i] - want).abs().max().item<double>(),
                  tolerance * want.abs().max().item<double>())
            << precision << ", row " << i << ", " << pass_bytes;
      }
    }
  }
}

TEST(Predict, EmbeddingsAndLossesCountWhatTheMaskLeavesIn) {
  const auto model = golden_model(g4(true), at::kDouble);
  auto rows = rows_of({16, 16, 7, 12});
  rows[1].mask = {0, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0};
  rows[3].mask = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
  const at::NoGradGuard no_grad;
  const KeptFile embeddings = run(*model, rows, options("embedding"));
  const KeptFile losses = run(*model, rows, options("loss"));
  ASSERT_EQ(embeddings.rows.size(), 4U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const at::Tensor hidden = model->hidden(ids_of(rows[i]))[0];
    std::vector<std::int64_t> counted;
    for (std::size_t t = 0; t < rows[i].ids.size(); ++t) {
      if (rows[i].counts(t)) counted.push_back(static_cast<std::int64_t>(t));
    }
    const at::Tensor want = hidden.index_select(0, torch::tensor(counted)).mean(0);
    EXPECT_LT((embeddings.rows[i] - want).abs().max().item<double>(), 1e-13) << i;
    EXPECT_NEAR(losses.rows[i].item<double>(), loss_of(model->logits(ids_of(rows[i])), rows[i]),
                1e-13)
        << i;
  }
  EXPECT_GT(
      (embeddings.rows[1] - model->hidden(ids_of(rows[1]))[0].mean(0)).abs().max().item<double>(),
      1e-3)
      << "the mask matters";
}

TEST(Predict, WhatStandsBesideARowDoesNotReachIt) {
  const auto model = golden_model(g4(true), at::kFloat);
  auto rows = rows_of({17, 11, 18, 17});
  const KeptFile among = run(*model, rows, options("hidden", "float32"));
  const KeptFile alone = run(*model, {rows[0]}, options("hidden", "float32"));
  EXPECT_LT((among.rows[0] - alone.rows[0]).abs().max().item<double>(), 1e-6);
  for (std::int64_t& id : rows[3].ids) id = 11;
  const KeptFile other = run(*model, rows, options("hidden", "float32"));
  EXPECT_TRUE(at::equal(among.rows[0], other.rows[0]));
  EXPECT_FALSE(at::equal(among.rows[3], other.rows[3]));
}

// A model that is not causal would see the padding.
TEST(Predict, OnlyRowsOfCausalModelsArePadded) {
  FakeModel model(12, 16, 64, [](const at::Tensor& ids) {
    return at::zeros({ids.size(0), ids.size(1), 16});
  });
  run(model, rows_of({33, 34, 33, 40}), options("logits", "float32"));
  EXPECT_THAT(model.calls, ElementsAre(ElementsAre(2, 33), ElementsAre(1, 34), ElementsAre(1, 40)));
  EXPECT_FALSE(model.trained_in_call);
}

TEST(Predict, AClassifierHasOneRowOfLogitsForEachRow) {
  FakeModel model(12, 16, 64, [](const at::Tensor& ids) {
    return ids.to(at::kFloat).sum(1, /*keepdim=*/true).expand({ids.size(0), 3});
  });
  PredictOptions how = options("logits", "float32");
  how.width = 3;
  how.per_position = false;
  how.rows_alike = true;
  const auto rows = rows_of({5, 33, 5});
  const KeptFile got = run(model, rows, how);
  ASSERT_EQ(got.rows.size(), 3U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(got.rows[i].numel(), 3);
    EXPECT_EQ(got.rows[i][2].item<double>(), ids_of(rows[i]).sum().item<double>());
  }
  EXPECT_THAT(model.calls, ElementsAre(ElementsAre(2, 5), ElementsAre(1, 33)));
}

TEST(Predict, ValuesThatAreNoNumbersNameTheirRow) {
  FakeModel model(12, 16, 64, [](const at::Tensor& ids) {
    at::Tensor logits = at::zeros({ids.size(0), ids.size(1), 16});
    logits[1][2][3] = std::numeric_limits<float>::quiet_NaN();
    return logits;
  });
  EXPECT_THAT(message_of<NonFiniteError>([&] {
                run(model, rows_of({5, 5, 5}), options("logits", "float32"));
              }),
              HasSubstr("rows: row1: logits"));
}

TEST(Predict, StopsBetweenPasses) {
  const auto model = golden_model(g4(true), at::kFloat);
  PredictOptions how = options("hidden", "float32");
  how.pass_bytes = 1;
  int asked = 0;
  how.stop = [&] { return ++asked == 3; };
  KeptFile file(Dtype::f32);
  ListedRows rows(rows_of({18, 18, 18, 18, 18}));
  EXPECT_THAT(message_of<InterruptedError>(
                  [&] { predict(*model, rows, std::vector<std::int64_t>(5, 18), how, file); }),
              HasSubstr("nothing was written"));
  EXPECT_EQ(file.rows.size(), 2U);
}

TEST(Predict, AFileThatChangesMeanwhileIsNoticed) {
  const auto model = golden_model(g4(true), at::kFloat);
  const auto changed = [&](const std::vector<std::int64_t>& before) {
    ListedRows rows(rows_of({4, 5}));
    KeptFile file(Dtype::f32);
    return message_of<DataError>(
        [&] { predict(*model, rows, before, options("hidden", "float32"), file); });
  };
  EXPECT_THAT(changed({4, 6}), HasSubstr("row1: not the row it was"));
  EXPECT_THAT(changed({4}), HasSubstr("row1: not the row it was"));
  EXPECT_THAT(changed({4, 5, 6}), HasSubstr("had 3 rows when it was checked, and 2 now"));
}

TEST(Predict, BadRowsAreFoundBeforeAnythingRuns) {
  const RowLimits limits{.vocab_size = 12, .longest = 18};
  const auto refused = [&](std::vector<TokenRow> rows, const std::string& what = "logits") {
    ListedRows listed(std::move(rows));
    return message_of<DataError>([&] { check_rows(listed, limits, what); });
  };
  auto rows = rows_of({18, 1, 4});
  {
    ListedRows listed(rows);
    EXPECT_THAT(check_rows(listed, limits, "hidden"), ElementsAre(18, 1, 4));
  }
  EXPECT_THAT(refused({}), HasSubstr("no rows"));
  EXPECT_THAT(refused(rows_of({3, 0})), HasSubstr("rows: row1: empty"));
  EXPECT_THAT(refused(rows_of({3, 19})),
              HasSubstr("rows: row1: 19 tokens, but the model takes at most 18 (model.l_max)"));
  rows[2].ids[3] = 12;
  EXPECT_THAT(refused(rows), HasSubstr("rows: row2, column 3: token 12, expected 0 to 11"));
  rows[2].ids[3] = -100;
  EXPECT_THAT(refused(rows), HasSubstr("token -100"));
  rows[2].ids[3] = 7;
  EXPECT_THAT(refused(rows, "loss"), HasSubstr("row1: a loss needs two neighbouring tokens"));
  rows[1] = rows[2];
  rows[2].mask = {1, 0, 1, 0};
  EXPECT_THAT(refused(rows, "loss"), HasSubstr("row2: a loss needs two neighbouring tokens"));
  rows[2].mask = {0, 0, 0, 0};
  EXPECT_THAT(refused(rows, "embedding"), HasSubstr("row2: the mask is 0 everywhere"));
}

}  // namespace
}  // namespace longconv::train
