#include "models/weights/open_weights.h"

#include "models/weights/model_folder.h"
#include "models/weights/widen.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <cstring>

namespace longconv::models {
namespace {

/// A copy of `view` on the CPU. By memcpy: the file need not align a tensor to its element's size.
at::Tensor host_copy(const files::TensorView& view) {
  at::Tensor host = at::empty(view.shape, scalar_type(view.dtype));
  if (!view.data.empty()) std::memcpy(host.data_ptr(), view.data.data(), view.data.size());
  return host;
}

/// `views` as if their floats were of `dtype` already.
std::map<std::string, files::TensorView> converted(std::map<std::string, files::TensorView> views,
                                                   Dtype dtype) {
  for (auto& [name, view] : views) {
    if (is_float(view.dtype)) view.dtype = dtype;
  }
  return views;
}

}  // namespace

std::shared_ptr<Model> open_weights(const ModelConfig& config, const std::filesystem::path& file,
                                    at::ScalarType dtype, c10::Device device) {
  std::shared_ptr<Model> model = build(config, at::TensorOptions().dtype(dtype).device(at::kMeta));
  const files::SafetensorsFile opened(file);
  std::map<std::string, files::TensorView> views = opened.tensors();
  fold_aliases(views, *model, file.string());
  std::map<std::string, at::Tensor> tensors = state_dict(*model);
  check_fits(tensors, converted(views, file_dtype(dtype)), file.string());
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : tensors) {
    const files::TensorView& view = views.at(name);
    const at::Tensor value =
        host_copy(view).to(tensor.options().device(device), /*non_blocking=*/false,
                           /*copy=*/false);
    opened.release(view);
    // The module and its registry hold the same TensorImpl, which takes over the value's memory,
    // device and all. set_data() would refuse to go from meta to a device.
    tensor.unsafeGetTensorImpl()->shallow_copy_from(value.getIntrusivePtr());
  }
  model->eval();
  return model;
}

}  // namespace longconv::models
