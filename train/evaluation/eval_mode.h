// A model in eval mode without gradients, for as long as a scope lasts.
#pragma once

#include "models/model.h"

#include <ATen/core/grad_mode.h>

namespace longconv::train {

/// Switches dropout off and gradients out; the destructor puts both back as they were. Not
/// inference mode: tensors made under it could not take part in a later backward pass, and caches
/// of filter spectra outlive this scope.
class EvalMode {
 public:
  explicit EvalMode(models::Model& model) : model_(model), was_training_(model.is_training()) {
    model_.eval();
  }
  ~EvalMode() { model_.train(was_training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  models::Model& model_;
  bool was_training_;
  at::NoGradGuard no_grad_;
};

}  // namespace longconv::train
