#include "core/base/error.h"

#include "core/base/check.h"
#include "core/base/dtype.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <type_traits>
#include <vector>

namespace longconv {
namespace {

template <class E>
int code_of() {
  return static_cast<int>(E("x").code());
}

TEST(Error, EachKindHasTheExitCodeThatScriptsRelyOn) {
  EXPECT_EQ(code_of<ShapeError>(), 1);
  EXPECT_EQ(code_of<UsageError>(), 2);
  EXPECT_EQ(code_of<ConfigError>(), 3);
  EXPECT_EQ(code_of<DataError>(), 4);
  EXPECT_EQ(code_of<CheckpointError>(), 5);
  EXPECT_EQ(code_of<MemoryError>(), 6);
  EXPECT_EQ(code_of<NonFiniteError>(), 7);
  EXPECT_EQ(code_of<EnvironmentError>(), 8);
  EXPECT_EQ(code_of<CudaError>(), 8);
  EXPECT_EQ(code_of<UnsupportedError>(), 8);
  EXPECT_EQ(static_cast<int>(ExitCode::interrupted_saved), 75);
  EXPECT_EQ(code_of<InterruptedError>(), 130);
}

TEST(Error, KindsOfOneCodeStayApart) {
  static_assert(!std::is_base_of_v<EnvironmentError, CudaError>);
  EXPECT_THROW(throw CudaError("x"), Error);
  try {
    throw CudaError("device lost");
  } catch (const EnvironmentError&) {
    FAIL() << "a CudaError is no EnvironmentError, though both end with 8";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "device lost");
  }
}

TEST(Check, ThrowsTheNamedErrorWithTheFormattedWords) {
  const auto check = [](int n) { LONGCONV_CHECK(n > 0, DataError, "n = {}, expected > {}", n, 0); };
  EXPECT_NO_THROW(check(1));
  EXPECT_EQ(testing::message_of<DataError>([&] { check(-3); }), "n = -3, expected > 0");
}

TEST(Check, FormatsOnlyOnFailureAndEvaluatesTheConditionOnce) {
  int conditions = 0;
  int formatted = 0;
  const auto count = [&formatted] { return ++formatted; };
  const auto holds = [&conditions] { return ++conditions > 0; };
  LONGCONV_CHECK(holds(), DataError, "{}", count());
  EXPECT_EQ(conditions, 1);
  EXPECT_EQ(formatted, 0);
}

TEST(Dtype, EveryTypeHasASizeAndANameOfItsOwn) {
  struct Row {
    Dtype dtype;
    const char* name;
    std::size_t bytes;
  };
  const std::vector<Row> rows = {{Dtype::f64, "float64", 8}, {Dtype::f32, "float32", 4},
                                 {Dtype::bf16, "bf16", 2},   {Dtype::f16, "fp16", 2},
                                 {Dtype::i64, "int64", 8},   {Dtype::i32, "int32", 4},
                                 {Dtype::i16, "int16", 2},   {Dtype::i8, "int8", 1},
                                 {Dtype::u8, "uint8", 1},    {Dtype::boolean, "bool", 1}};
  std::set<std::string_view> names;
  for (const Row& row : rows) {
    EXPECT_EQ(name(row.dtype), row.name);
    EXPECT_EQ(size_of(row.dtype), row.bytes) << row.name;
    names.insert(name(row.dtype));
  }
  EXPECT_EQ(names.size(), rows.size());
  EXPECT_EQ(name(Device::cpu), "cpu");
  EXPECT_EQ(name(Device::cuda), "cuda");
}

}  // namespace
}  // namespace longconv
