// LibTorch's device, precision, seeds and memory, chosen once from the configuration's words.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <memory>
#include <string>

namespace longconv::runtime {

/// "auto" (cuda if there is one), "cpu", "cuda", "cuda:1". Throws EnvironmentError saying why there
/// is no GPU (built without CUDA, no driver, index too large).
c10::Device choose_device(const std::string& word);

/// "NVIDIA H100 80GB HBM3", as the GPU's driver has it; "CPU".
std::string device_name(c10::Device device);

/// Seeds LibTorch's CPU generator and, where there is one, every GPU's.
void seed_everything(std::uint64_t seed);

/// While alive, LibTorch's autocast runs matrix products in bf16 on `device` ("bf16"); nothing for
/// "float32" and "float64". Clears autocast's weight cache when it ends.
class Autocast {
 public:
  Autocast(c10::Device device, const std::string& precision);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::Device device_;
  bool active_;
  bool before_ = false;
  c10::ScalarType dtype_before_ = c10::ScalarType::BFloat16;
};

/// Parameters' dtype for train.precision: float64 for "float64", else float32.
c10::ScalarType parameter_dtype(const std::string& precision);

/// CPU: peak resident set; CUDA: peak allocated by LibTorch. Bytes.
std::uint64_t peak_memory(c10::Device device);
/// Waits for the device (no-op on the CPU).
void synchronize(c10::Device device);

/// CPU threads that do not collapse beside a busy core: passive OpenMP waiting, set before libgomp
/// starts; called first thing in main().
void prepare_threads();

}  // namespace longconv::runtime
