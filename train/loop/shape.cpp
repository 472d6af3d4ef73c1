#include "train/loop/shape.h"

#include "data/tasks/task_shape.h"

#include <fmt/format.h>

namespace longconv::train {
namespace {

const char* head_of(const data::TaskShape& shape) {
  return shape.labelled ? "classifier" : shape.outputs > 0 ? "regressor" : "lm";
}

/// 0 is filled in; what is given must be as the data have it, or, if `at_least`, more.
void settle(config::Key<std::int64_t>& key, std::int64_t of_data, bool at_least) {
  if (key() == 0) key.set(of_data);
  if (key() == of_data || (at_least && of_data > 0 && key() > of_data)) return;
  key.fail(fmt::format("expected {}{}, as the data have, got {}", at_least ? "at least " : "",
                       of_data, key()));
}

/// Of data whose samples say what a model must be like.
void settle_samples(RunConfig& config) {
  const data::TaskShape shape = data::task_shape(config.data);
  models::ModelConfig& model = config.model;
  if (!config.data.seq_len.is_set() && shape.seq_len > 0) config.data.seq_len.set(shape.seq_len);
  if (!model.head.kind.is_set()) model.head.kind.set(head_of(shape));
  if (model.head.kind() != head_of(shape)) {
    model.head.kind.fail(fmt::format("expected \"{}\" for data.task = \"{}\", got \"{}\"",
                                     head_of(shape), config.data.task(), model.head.kind()));
  }
  if (!model.head.pool.is_set() && shape.pairs) model.head.pool.set("retrieval");
  if ((model.head.pool() == "retrieval") != shape.pairs) {
    model.head.pool.fail(shape.pairs ? "expected \"retrieval\" for pairs of sequences"
                                     : "\"retrieval\" is for pairs of sequences, these are none");
  }
  if (model.head.pool() == "ragged") {
    model.head.pool.fail(
        "expected a pool that makes one step of a row, as the data have one class a sample, got "
        "\"ragged\"");
  }
  settle(model.vocab_size, shape.vocab_size, /*at_least=*/true);
  settle(model.d_input, shape.channels, /*at_least=*/false);
  settle(model.head.n_classes, shape.outputs, /*at_least=*/shape.labelled);
}

}  // namespace

void resolve_shape(RunConfig& config) {
  models::ModelConfig& model = config.model;
  const std::string& task = config.data.task();
  if (task == "labelled" || task == "brain" || task == "species" || task == "glue") {
    settle_samples(config);
  } else {
    if (task == "prompts" && !config.data.seq_len.is_set()) {
      config.data.seq_len.set(data::task_shape(config.data).seq_len);
    }
    const char* const head = task == "mlm" ? "mlm" : "lm";
    if (!model.head.kind.is_set()) model.head.kind.set(head);
    if (model.head.kind() != head) {
      model.head.kind.fail(fmt::format("expected \"{}\" for data.task = \"{}\", got \"{}\"", head,
                                       task, model.head.kind()));
    }
    if (model.vocab_size() == 0) {
      model.vocab_size.set(data::task_shape(config.data).vocab_size);
    }
  }
  if (model.l_max() == 0) model.l_max.set(config.data.seq_len() + model.soft_prompt());
}

}  // namespace longconv::train
