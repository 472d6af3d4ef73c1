#define AT_PER_OPERATOR_HEADERS
#include "train/loop/step_window.h"

#include "core/base/error.h"

#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <cmath>

namespace longconv::train {

void StepWindow::add(std::int64_t step, const at::Tensor& loss, const at::Tensor& grad_norm) {
  pending_steps_.push_back(step);
  pending_.push_back(loss.detach());
  pending_.push_back(grad_norm);
  // A bound on what waits on the device, for runs that log hardly ever.
  constexpr std::size_t kMostPending = 1024;
  if (pending_steps_.size() >= kMostPending) collect();
}

void StepWindow::collect() {
  if (pending_.empty()) return;
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> wide;
  for (const at::Tensor& value : pending_) wide.push_back(value.to(at::kDouble));
  const at::Tensor host = at::stack(wide).to(at::kCPU);
  const double* values = host.const_data_ptr<double>();
  for (std::size_t i = 0; i < pending_steps_.size(); ++i) {
    const StepRecord record{pending_steps_[i], values[2 * i], values[2 * i + 1]};
    if (!std::isfinite(record.loss) || !std::isfinite(record.grad_norm)) {
      throw NonFiniteError(fmt::format(
          "step {}: the {} is {} (gradient norm {}); nothing was saved after it. Try a smaller "
          "optim.lr, a longer schedule.warmup_steps, optim.clip_norm = 1.0 or train.precision = "
          "\"float32\"; a restart goes on from the last checkpoint",
          record.step, std::isfinite(record.loss) ? "gradient" : "loss", record.loss,
          record.grad_norm));
    }
    records_.push_back(record);
  }
  pending_.clear();
  pending_steps_.clear();
}

}  // namespace longconv::train
