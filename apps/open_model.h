// The model itself, from where model_place.h says its parts lie.
#pragma once

#include "apps/model_place.h"
#include "models/model.h"

#include <c10/core/Device.h>

#include <memory>

namespace longconv::apps {

/// The model with its weights, on `device` in the run's precision, in eval mode. Throws
/// CheckpointError if the weights do not fit the configuration.
std::shared_ptr<models::Model> load_model(const ModelPlace& place, const train::RunConfig& config,
                                          c10::Device device);

}  // namespace longconv::apps
