#include "train/checkpoint/checkpoint.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/safetensors.h"
#include "models/weights/model_folder.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <mutex>
#include <utility>

namespace longconv::train {
namespace fs = std::filesystem;
namespace {

std::string generator_state(at::Generator generator) {
  const std::lock_guard<std::mutex> lock(generator.mutex());
  const at::Tensor state = generator.get_state();
  return {static_cast<const char*>(state.const_data_ptr()), state.nbytes()};
}

void set_generator_state(at::Generator generator, const std::string& bytes) {
  at::Tensor state = at::empty({static_cast<std::int64_t>(bytes.size())}, at::kByte);
  std::memcpy(state.mutable_data_ptr(), bytes.data(), bytes.size());
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
}

/// The optimiser's tensors under the names they have in a file.
std::vector<std::pair<std::string, at::Tensor>> named_tensors(const AdamW& optimizer) {
  std::vector<std::pair<std::string, at::Tensor>> out;
  for (const AdamWState& state : optimizer.state()) {
    out.emplace_back(state.name + ".exp_avg", state.exp_avg);
    out.emplace_back(state.name + ".exp_avg_sq", state.exp_avg_sq);
    out.emplace_back(state.name + ".step", state.step);
  }
  return out;
}

Dtype dtype_of(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? Dtype::f64 : Dtype::f32;
}

void save_optimizer(const AdamW& optimizer, const fs::path& file) {
  std::vector<at::Tensor> host;  // keeps the bytes alive until they are written
  std::vector<files::TensorView> views;
  for (const auto& [name, tensor] : named_tensors(optimizer)) {
    host.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& t = host.back();
    views.push_back({name,
                     dtype_of(t),
                     t.sizes().vec(),
                     {static_cast<const std::byte*>(t.const_data_ptr()), t.nbytes()}});
  }
  files::write_safetensors(file, views, {{"format", "longconv-adamw"}});
}

void load_optimizer(const fs::path& file, const AdamW& optimizer) {
  const files::SafetensorsFile stored(file);
  const c10::NoGradGuard no_grad;
  std::size_t used = 0;
  for (auto& [name, tensor] : named_tensors(optimizer)) {
    const auto found = stored.tensors().find(name);
    LONGCONV_CHECK(found != stored.tensors().end(), CheckpointError,
                   "{}: {} is missing; was the checkpoint made by another model?", file.string(),
                   name);
    const files::TensorView& view = found->second;
    LONGCONV_CHECK(view.dtype == dtype_of(tensor) && at::IntArrayRef(view.shape) == tensor.sizes(),
                   CheckpointError, "{}: {}: expected [{}] {}, file has [{}] {}", file.string(),
                   name, fmt::join(tensor.sizes(), ", "), longconv::name(dtype_of(tensor)),
                   fmt::join(view.shape, ", "), longconv::name(view.dtype));
    at::Tensor host = at::empty(view.shape, at::TensorOptions().dtype(tensor.scalar_type()));
    if (!view.data.empty())
      std::memcpy(host.mutable_data_ptr(), view.data.data(), view.data.size());
    tensor.copy_(host);
    ++used;
  }
  LONGCONV_CHECK(used == stored.tensors().size(), CheckpointError,
                 "{}: expected {} tensors, file has {}; was the checkpoint made by another model?",
                 file.string(), used, stored.tensors().size());
}

}  // namespace

void read_generators(c10::Device device, TrainState& state) {
  state.cpu_rng = generator_state(at::detail::getDefaultCPUGenerator());
  state.device_rng.clear();
  if (device.is_cuda())
    state.device_rng = generator_state(at::globalContext().defaultGenerator(device));
}

void write_generators(c10::Device device, const TrainState& state) {
  set_generator_state(at::detail::getDefaultCPUGenerator(), state.cpu_rng);
  if (device.is_cuda() && !state.device_rng.empty()) {
    set_generator_state(at::globalContext().defaultGenerator(device), state.device_rng);
  }
}

fs::path save_checkpoint(const fs::path& checkpoints, const models::Model& model,
                         const AdamW& optimizer, const TrainState& state) {
  CheckpointWriter writer(checkpoints, state.step);
  models::save_weights(model, writer.folder() / kModelFile,
                       {{"longconv.step", std::to_string(state.step)}});
  save_optimizer(optimizer, writer.folder() / kOptimizerFile);
  files::write_atomic(writer.folder() / kStateFile, to_json(state));
  fs::path folder = writer.publish();
  set_link(checkpoints, "latest", state.step);
  return folder;
}

TrainState load_state(const fs::path& folder) {
  const fs::path file = folder / kStateFile;
  return from_json(files::read_text(file), file.string());
}

void load_tensors(const fs::path& folder, models::Model& model, AdamW& optimizer) {
  models::load_weights(model, folder / kModelFile);
  load_optimizer(folder / kOptimizerFile, optimizer);
}

}  // namespace longconv::train
