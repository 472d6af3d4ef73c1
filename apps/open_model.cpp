#include "apps/open_model.h"

#include "core/runtime/device.h"
#include "models/weights/open_weights.h"

namespace longconv::apps {

std::shared_ptr<models::Model> load_model(const ModelPlace& place, const train::RunConfig& config,
                                          c10::Device device) {
  return models::open_weights(config.model, place.weights,
                              runtime::parameter_dtype(config.train.precision()), device);
}

}  // namespace longconv::apps
