// longconv doctor: what was found, what is missing, and what to do about each problem.
#include "apps/commands.h"
#include "apps/machine.h"
#include "apps/version.h"
#include "core/files/cache_folder.h"
#include "core/runtime/device.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace longconv::apps {
namespace {

using nlohmann::ordered_json;

struct Problem {
  bool needed;  ///< longconv cannot do what it was built for here
  std::string what;
  std::string advice;
};

/// One line of the text output, one member of the JSON one.
struct Finding {
  std::string key;
  std::string text;
};

struct Report {
  std::vector<Finding> findings;
  std::vector<Problem> problems;
  void add(std::string key, std::string text) {
    findings.push_back({std::move(key), std::move(text)});
  }
  void advise(std::string what, std::string advice) {
    problems.push_back({false, std::move(what), std::move(advice)});
  }
  void demand(std::string what, std::string advice) {
    problems.push_back({true, std::move(what), std::move(advice)});
  }
};

void check_libtorch(Report& report) {
  const Version v = version();
  report.add("longconv", fmt::format("{}, commit {}, {}", v.version, v.commit, v.build_type));
  try {
    // A sum that goes through the allocator, the dispatcher and the vectorised kernels.
    const double sum = at::full({100, 100}, 0.5).sum().item<double>();
    report.add("LibTorch", v.libtorch);
    if (sum != 5000.0) {
      report.demand(fmt::format("LibTorch sums 10,000 halves to {}", sum),
                    "the library is damaged: remove the cache folder and run scripts/setup again");
    }
  } catch (const std::exception& error) {
    report.add("LibTorch", v.libtorch + ", not working");
    report.demand(fmt::format("LibTorch fails at a sum: {}", error.what()),
                  "remove the cache folder and run scripts/setup again");
  }
  report.add("CUDA code", v.with_cuda() ? "for " + v.cuda_archs : "none (CPU-only build)");
}

void check_gpus(Report& report) {
  const Version v = version();
  const Driver driver = find_driver();
  report.add(
      "driver",
      driver.present
          ? fmt::format("{}, up to CUDA {}.{}", driver.version.empty() ? "NVIDIA" : driver.version,
                        driver.cuda_version / 1000, driver.cuda_version % 1000 / 10)
          : "none");
  for (std::size_t i = 0; i < driver.gpus.size(); ++i) {
    const Gpu& gpu = driver.gpus[i];
    report.add(fmt::format("GPU {}", i),
               fmt::format("{}, compute {}.{}, {}{}", gpu.name, gpu.major, gpu.minor,
                           show_bytes(gpu.total_bytes),
                           gpu.free_bytes > 0 ? ", " + show_bytes(gpu.free_bytes) + " free" : ""));
  }
  if (driver.gpus.empty()) {
    report.add("GPUs", "none");
    if (driver.present || !driver.version.empty()) {
      report.advise(fmt::format("there is an NVIDIA driver but no usable GPU: {}", driver.error),
                    "check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, start it with "
                    "--gpus all");
    }
    return;
  }
  if (!v.with_cuda()) {
    report.advise("there is a GPU, but this build has no CUDA code",
                  "install a CUDA 13.0 toolkit and run scripts/build again");
    return;
  }
  try {
    const c10::Device device = runtime::choose_device("cuda");
    const double sum =
        at::full({100, 100}, 0.5, at::TensorOptions().device(device)).sum().item<double>();
    report.add("CUDA works", sum == 5000.0 ? "yes" : fmt::format("no: a sum of 5000 gave {}", sum));
    if (sum != 5000.0) report.demand("the GPU computes wrong sums", "check nvidia-smi and dmesg");
  } catch (const std::exception& error) {
    const std::string text = error.what();
    report.add("CUDA works", "no");
    report.demand(fmt::format("the GPU cannot be used: {}", text.substr(0, text.find('\n'))),
                  driver.cuda_version < 13000
                      ? "LibTorch needs a driver for CUDA 13.0 (580 or newer): update it"
                      : "check nvidia-smi; is another process holding the GPU exclusively?");
  }
}

void check_libraries(Report& report) {
  for (const Library& library : find_libraries()) {
    report.add(library.name, library.version.empty() ? "not loaded" : library.version);
    const bool cuda_part = library.name != "zstd" && library.name != "HDF5";
    if (library.version.empty() && (!cuda_part || version().with_cuda())) {
      report.demand(fmt::format("{} is missing", library.name), "run scripts/setup again");
    }
  }
}

void check_cpu(Report& report) {
  const Cpu cpu = find_cpu();
  report.add("CPU", cpu.model.empty() ? "unknown" : cpu.model);
  report.add("CPU features", cpu.features.empty() ? "none known" : cpu.features);
  report.add("cores", cpu.quota > 0.0
                          ? fmt::format("{} (the container grants {:.1f})", cpu.cores, cpu.quota)
                          : fmt::format("{}", cpu.cores));
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  const int threads = at::get_num_threads();
  report.add("threads", fmt::format("{} for operators, OMP_WAIT_POLICY={}, OMP_NUM_THREADS={}",
                                    threads, policy == nullptr ? "(unset)" : policy,
                                    std::getenv("OMP_NUM_THREADS") == nullptr
                                        ? "(unset)"
                                        : std::getenv("OMP_NUM_THREADS")));
  if (!cpu.avx2) {
    report.advise("this CPU has no AVX2: training on it is several times slower",
                  "use a newer machine, or a GPU");
  }
  const double granted = cpu.quota > 0.0 ? cpu.quota : static_cast<double>(cpu.cores);
  if (cpu.cores > 0 && threads > granted + 0.5) {
    report.advise(fmt::format("{} threads share {:.1f} cores", threads, granted),
                  fmt::format("set OMP_NUM_THREADS={}", std::max(1, static_cast<int>(granted))));
  }
}

void check_space(Report& report) {
  constexpr std::uint64_t kGiB = 1ULL << 30;
  const Memory memory = find_memory();
  report.add("memory", fmt::format("{} free of {}", show_bytes(memory.available_bytes),
                                   show_bytes(memory.total_bytes)));
  if (memory.available_bytes < kGiB) {
    report.advise(fmt::format("only {} of memory are free", show_bytes(memory.available_bytes)),
                  "LibTorch alone takes 0.5 GiB: end other programs, or train smaller models");
  }
  const auto disk = [&](const std::string& key, const std::filesystem::path& folder,
                        const std::string& use) {
    const Disk found = find_disk(folder);
    report.add(key, fmt::format("{} free in {}{}", show_bytes(found.free_bytes),
                                found.folder.string(), found.writable ? "" : ", not writable"));
    if (!found.writable) {
      report.advise(fmt::format("{} is not writable", found.folder.string()), use);
    } else if (found.free_bytes < kGiB) {
      report.advise(
          fmt::format("only {} free in {}", show_bytes(found.free_bytes), found.folder.string()),
          "checkpoints take three times the model's size each: free some space");
    }
  };
  disk("disk", std::filesystem::current_path(), "work elsewhere, or set run.dir for your runs");
  disk("cache", files::cache_folder(), "set LONGCONV_CACHE to a folder that you may write to");
}

}  // namespace

ExitCode doctor(const DoctorOptions& options) {
  Report report;
  check_libtorch(report);
  check_gpus(report);
  check_libraries(report);
  check_cpu(report);
  check_space(report);

  bool usable = true;
  for (const Problem& problem : report.problems) usable = usable && !problem.needed;
  if (options.json) {
    ordered_json found;
    for (const Finding& finding : report.findings) found[finding.key] = finding.text;
    ordered_json problems = ordered_json::array();
    for (const Problem& problem : report.problems) {
      problems.push_back(
          {{"needed", problem.needed}, {"what", problem.what}, {"advice", problem.advice}});
    }
    const ordered_json result{{"usable", usable}, {"found", found}, {"problems", problems}};
    fmt::print("{}\n", result.dump(2));
  } else {
    for (const Finding& finding : report.findings) {
      fmt::print("{:<14}{}\n", finding.key, finding.text);
    }
    for (const Problem& problem : report.problems) {
      fmt::print("\n{}: {}\n  {}\n", problem.needed ? "problem" : "note", problem.what,
                 problem.advice);
    }
    fmt::print("\n{}\n", usable ? "longconv can work here." : "Something needed is missing.");
  }
  return usable ? ExitCode::ok : ExitCode::environment;
}

}  // namespace longconv::apps
