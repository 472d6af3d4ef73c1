// AdamW with parameter groups (Loshchilov and Hutter, arXiv:1711.05101), one fused call a group:
//
//   p <- p (1 - lr wd);  m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g^2
//   p <- p - lr (m / (1-b1^t)) / (sqrt(v / (1-b2^t)) + eps)
//
// Composer's DecoupledAdamW differs in the decay only: p <- p (1 - (lr / lr0) wd), lr0 the group's
// peak learning rate. A group whose lr0 is 0 stays as it is.
#pragma once

#include "train/optim/schedule.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace longconv::train {

enum class DecayKind { adamw, decoupled_adamw };

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.98;
  double eps = 1e-8;
  DecayKind decay = DecayKind::adamw;
};

/// One tensor to train under its own settings.
struct AdamWParameter {
  std::string name;
  at::Tensor value;  ///< a leaf that requires a gradient, float32 or float64, on the CPU or a GPU
  double lr = 0.0;   ///< peak learning rate
  double weight_decay = 0.0;
};

/// The state of one tensor, as a checkpoint holds it.
struct AdamWState {
  std::string name;
  at::Tensor exp_avg;     ///< like the parameter
  at::Tensor exp_avg_sq;  ///< like the parameter
  at::Tensor step;        ///< float32 scalar: updates this tensor has had
};

class AdamW {
 public:
  AdamW(const std::vector<AdamWParameter>& parameters, const AdamWOptions& options);

  /// One update of every parameter that has a gradient. `rate(lr0)` is the learning rate now of a
  /// group with peak lr0. Launches only; never waits for a GPU.
  void step(const std::function<double(double)>& rate);
  /// Drops all gradients.
  void zero_grad();
  /// Gradients there are, in a fixed order.
  [[nodiscard]] std::vector<at::Tensor> gradients() const;
  /// Views of the state, in a fixed order; copying into them restores it.
  [[nodiscard]] std::vector<AdamWState> state() const;
  /// Distinct (peak learning rate, weight decay) pairs.
  [[nodiscard]] std::size_t group_count() const { return groups_.size(); }

 private:
  struct Group {
    double lr = 0.0;
    double weight_decay = 0.0;
    std::vector<std::string> names;
    std::vector<at::Tensor> values, exp_avgs, exp_avg_sqs;
    at::Tensor steps;  ///< (parameters) float32; `step_views` are its elements
    std::vector<at::Tensor> step_views;
  };
  std::vector<Group> groups_;
  AdamWOptions options_;
};

/// Scales `gradients` so that their common 2-norm is at most `max_norm` (0 = leave them), as
/// PyTorch's clip_grad_norm_ does: factor min(1, max_norm / (norm + 1e-6)). Returns the norm
/// before, a scalar on the gradients' device; never waits for a GPU.
at::Tensor clip_gradients(const std::vector<at::Tensor>& gradients, double max_norm);

}  // namespace longconv::train
