#define AT_PER_OPERATOR_HEADERS
#include "core/runtime/device.h"

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rand.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <string>

namespace longconv::runtime {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;

TEST(ChooseDevice, UnderstandsItsWords) {
  EXPECT_TRUE(choose_device("cpu").is_cpu());
  const c10::Device automatic = choose_device("auto");
  if (automatic.is_cuda()) {
    EXPECT_EQ(automatic.index(), 0);
    EXPECT_EQ(choose_device("cuda"), automatic);
  }
  for (const char* word : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CPU", ""}) {
    EXPECT_THAT(message_of<EnvironmentError>([&] { choose_device(word); }),
                AllOf(HasSubstr(std::string("device \"") + word + "\""),
                      HasSubstr("expected auto, cpu, cuda or cuda:N")));
  }
}

TEST(ChooseDevice, SaysWhyThereIsNoSuchGpu) {
  const std::string message = message_of<EnvironmentError>([] { choose_device("cuda:99"); });
  EXPECT_THAT(message, HasSubstr("device \"cuda:99\": there "));
  if (choose_device("auto").is_cpu()) {
    EXPECT_THAT(message, AllOf(HasSubstr("there is no GPU: "), HasSubstr("choose cpu or auto")));
  } else {
    EXPECT_THAT(message, HasSubstr("choose cuda:0 .. cuda:"));
  }
}

TEST(DeviceName, IsTheDrivers) {
  EXPECT_EQ(device_name(c10::Device(c10::kCPU)), "CPU");
  if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device (or a build without CUDA)";
  EXPECT_THAT(device_name(c10::Device(c10::kCUDA)), HasSubstr("NVIDIA"));
}

TEST(Seeds, MakeTheSameNumbers) {
  seed_everything(7);
  const at::Tensor first = at::rand({8});
  const at::Tensor other = at::rand({8});
  seed_everything(7);
  EXPECT_TRUE(at::rand({8}).equal(first));
  EXPECT_FALSE(other.equal(first));
}

TEST(AutocastScope, RunsMatrixProductsInBf16AndEnds) {
  const c10::Device cpu(c10::kCPU);
  const at::Tensor a = at::rand({4, 4});
  const auto product_type = [&] { return at::matmul(a, a).scalar_type(); };
  {
    const Autocast bf16(cpu, "bf16");
    EXPECT_EQ(product_type(), at::kBFloat16);
    const Autocast inner(cpu, "bf16");
    EXPECT_EQ(product_type(), at::kBFloat16);
  }
  EXPECT_EQ(product_type(), at::kFloat);
  EXPECT_FALSE(at::autocast::is_autocast_enabled(at::kCPU));
  const Autocast none(cpu, "float32");
  EXPECT_EQ(product_type(), at::kFloat);
}

TEST(ParameterDtype, IsFloat64OnlyIfAskedFor) {
  EXPECT_EQ(parameter_dtype("float64"), at::kDouble);
  EXPECT_EQ(parameter_dtype("float32"), at::kFloat);
  EXPECT_EQ(parameter_dtype("bf16"), at::kFloat);
}

TEST(PeakMemory, GrowsByWhatIsTouched) {
  const c10::Device cpu(c10::kCPU);
  const std::uint64_t before = peak_memory(cpu);
  constexpr std::int64_t kBytes = 256 << 20;
  const at::Tensor block = at::empty({kBytes}, at::TensorOptions().dtype(at::kByte)).fill_(1);
  EXPECT_GT(peak_memory(cpu), before + kBytes / 2);
  synchronize(cpu);  // nothing to wait for
}

/// What a shell command prints.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot start " << command;
    return text;
  }
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
    text += buffer;
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

TEST(PrepareThreads, StartsAgainWithPassiveWaitingAndTheSameArguments) {
  EXPECT_EQ(output_of("env -u OMP_WAIT_POLICY '" LONGCONV_PROBE "' one 'two words' ''"),
            "passive\nunmarked\none\ntwo words\n\n");
}

TEST(PrepareThreads, LeavesAChosenPolicyAlone) {
  EXPECT_EQ(output_of("env OMP_WAIT_POLICY=active '" LONGCONV_PROBE "' x"),
            "active\nunmarked\nx\n");
}

TEST(PrepareThreads, NeverStartsTwice) {
  EXPECT_EQ(output_of("env -u OMP_WAIT_POLICY LONGCONV_RESTARTED=1 '" LONGCONV_PROBE "' x"),
            "none\nunmarked\nx\n");
}

}  // namespace
}  // namespace longconv::runtime
