#include "apps/open_model.h"

#include "core/runtime/device.h"
#include "models/weights/model_folder.h"

namespace longconv::apps {

std::shared_ptr<models::Model> load_model(const ModelPlace& place, const train::RunConfig& config,
                                          c10::Device device) {
  const auto options =
      c10::TensorOptions().dtype(runtime::parameter_dtype(config.train.precision()));
  std::shared_ptr<models::Model> model = models::build(config.model, options);
  models::load_weights(*model, place.weights);
  model->to(device);
  model->eval();
  return model;
}

}  // namespace longconv::apps
