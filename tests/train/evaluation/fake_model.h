// Models without weights whose logits a test can work out by itself.
#pragma once

#include "models/model.h"

#include <functional>
#include <utility>
#include <vector>

namespace longconv::testing {

/// Logits by a function of the ids; records what it was called with.
class FakeModel final : public models::LanguageModel {
 public:
  using Logits = std::function<at::Tensor(const at::Tensor& ids)>;
  FakeModel(std::int64_t vocab_size, std::int64_t padded, std::int64_t longest,
            Logits logits_of_ids)
      : vocab_size_(vocab_size),
        padded_(padded),
        l_max_(longest),
        logits_(std::move(logits_of_ids)) {}

  at::Tensor hidden(const models::Input& input) override { return input.values; }
  at::Tensor logits(const models::Input& input) override {
    calls.push_back(input.values.sizes().vec());
    trained_in_call = trained_in_call || is_training();
    return logits_(input.values);
  }
  [[nodiscard]] std::vector<models::ParameterOverride> overrides() const override { return {}; }
  [[nodiscard]] std::int64_t vocab_size() const override { return vocab_size_; }
  [[nodiscard]] std::int64_t padded_vocab_size() const override { return padded_; }
  [[nodiscard]] std::int64_t l_max() const override { return l_max_; }

  std::vector<std::vector<std::int64_t>> calls;  ///< shapes of ids
  bool trained_in_call = false;                  ///< was ever called in training mode

 private:
  std::int64_t vocab_size_;
  std::int64_t padded_;
  std::int64_t l_max_;
  Logits logits_;
};

}  // namespace longconv::testing
