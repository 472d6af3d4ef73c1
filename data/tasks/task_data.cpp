#include "data/tasks/task_data.h"

#include "core/base/check.h"
#include "core/files/hash.h"
#include "data/tasks/brain_series.h"
#include "data/tasks/dna_prompts.h"
#include "data/tasks/dna_shard.h"
#include "data/tasks/dna_species.h"
#include "data/tasks/glue.h"
#include "data/tasks/language_data.h"
#include "data/tasks/samples.h"

#include <algorithm>
#include <utility>

namespace longconv::data {

namespace {

const std::string& path_of(const DataConfig& config, const char* wanted) {
  if (config.path().empty()) {
    config.path.fail(
        fmt::format("expected {} for data.task = \"{}\", got nothing", wanted, config.task()));
  }
  return config.path();
}

/// A shard of which several parts may be read.
class Shard {
 public:
  Shard(const DataConfig& config, bool verify)
      : config_(config),
        file_(std::make_shared<SampleShard>(
            path_of(config,
                    "a shard that `longconv data prepare` or `longconv data generate` "
                    "wrote"),
            verify)),
        facts_(read_facts(file_->view())) {}

  /// Token sequences cut to `seq_len`; nullptr if the shard has no such part, or an empty one.
  [[nodiscard]] std::shared_ptr<const SampleDataset> part(const char* name,
                                                          std::int64_t seq_len) const {
    auto members =
        part_indices(config_.samples.split, name, file_->view().layout().samples, facts_.splits);
    if (!members || members->empty()) return nullptr;
    for (const std::int64_t sample : *members) {
      LONGCONV_CHECK(file_->view().label(sample) >= 0, DataError,
                     "{}: sample {} of part {} has no label", config_.path(), sample, name);
    }
    return std::make_shared<SampleDataset>(config_.samples, file_, *std::move(members), seq_len,
                                           std::string_view(name) == "train");
  }

  [[nodiscard]] std::shared_ptr<const SampleDataset> train(std::int64_t seq_len) const {
    auto data = part("train", seq_len);
    LONGCONV_CHECK(data != nullptr, DataError, "{}: has no part train", config_.path());
    return data;
  }

  /// The most values of a sequence, in whatever part.
  [[nodiscard]] std::int64_t longest() const {
    const SampleView& view = file_->view();
    std::int64_t most = 1;
    for (std::int64_t sample = 0; sample < view.layout().samples; ++sample) {
      for (int part = 0; part < view.layout().parts; ++part) {
        most = std::max(most, view.length(sample, part));
      }
    }
    return most;
  }

  [[nodiscard]] const SampleFacts& facts() const { return facts_; }
  [[nodiscard]] const SampleLayout& layout() const { return file_->view().layout(); }

 private:
  const DataConfig& config_;
  std::shared_ptr<const SampleShard> file_;
  SampleFacts facts_;
};

TaskShape shape_of(const SampleDataset& data) {
  const SampleLayout& layout = data.layout();
  TaskShape out;
  if (data.gives_series()) {
    out.channels = layout.channels;
  } else {
    out.vocab_size = layout.vocabulary;
  }
  out.outputs = layout.classes;
  out.seq_len = data.seq_len();
  out.labelled = true;
  out.pairs = layout.parts == 2;
  out.bases = data.facts().symbols == dna_symbols();
  return out;
}

TaskData open_labelled(const DataConfig& config, bool only_evaluation) {
  const Shard shard(config, /*verify=*/true);
  TaskData out;
  const auto train = shard.train(config.seq_len());
  if (train->seq_len() != config.seq_len()) {
    config.seq_len.fail(fmt::format("expected {}, the pixels of an image of {}, got {}",
                                    train->seq_len(), config.path(), config.seq_len()));
  }
  out.shape = shape_of(*train);
  if (!only_evaluation) out.train = train;
  out.validation = shard.part("validation", config.seq_len());
  out.test = shard.part("test", config.seq_len());
  out.classes = shard.facts().classes;
  out.corpus.folder = config.path();
  out.corpus.fingerprint = files::hex(files::sha256_file(config.path()));
  return out;
}

TaskShape shape_of(const Series& series) {
  TaskShape out;
  out.channels = series.channels;
  out.outputs = series.channels;
  return out;
}

TaskData open_brain(const DataConfig& config, bool only_evaluation) {
  const std::string path = path_of(config, "a file of series (.h5, .npy)");
  const auto series = read_brain_file(path, config.brain.standardise());
  const auto part = [&](const char* name) -> std::shared_ptr<const Dataset> {
    auto members = part_indices(config.brain.split, name, series->subjects, {});
    if (!members || members->empty()) return nullptr;
    return std::make_shared<BrainSeries>(config.brain, series, *std::move(members),
                                         config.seq_len(), std::string_view(name) == "train");
  };
  TaskData out;
  out.shape = shape_of(*series);
  if (!only_evaluation) {
    out.train = part("train");
    LONGCONV_CHECK(out.train != nullptr, DataError, "{}: no runs are left to train on", path);
  }
  out.validation = part("validation");
  out.test = part("test");
  out.corpus.folder = path;
  out.corpus.fingerprint = files::hex(files::sha256_file(path));
  return out;
}

TaskShape species_shape(std::int64_t species) {
  TaskShape out;
  out.vocab_size = DnaTokenizer::kVocabSize;
  out.outputs = species;
  out.labelled = true;
  out.bases = true;
  return out;
}

TaskData open_species(const DataConfig& config, bool only_evaluation) {
  const RunSpeciesConfig& keys = config.species;
  files::Sha256 hash;
  const auto held_out =
      [&](const char* name,
          const std::vector<std::string>& files) -> std::shared_ptr<const Dataset> {
    if (files.empty()) return nullptr;
    auto part = std::make_shared<DnaSpecies>(keys, name, config.seq_len(), keys.held_out_count());
    hash.update(part->fingerprint());
    return part;
  };
  TaskData out;
  out.classes = species_names(keys);
  out.shape = species_shape(std::ssize(out.classes));
  out.validation = held_out("validation", keys.validation());
  out.test = held_out("test", keys.test());
  out.corpus.folder = keys.folder();
  out.corpus.tokenizer =
      std::make_shared<DnaTokenizer>(TokenizerOptions{/*special_text=*/false, keys.upper_case()});
  if (!only_evaluation) {
    const auto train = std::make_shared<DnaSpecies>(keys, "train", config.seq_len(), keys.count());
    hash.update(train->fingerprint());
    for (std::size_t i = 0; i < config.stage.size(); ++i) {
      out.stages.push_back(train->at_length(config.stage[i].seq_len()));
    }
    out.train = train;
  }
  out.corpus.fingerprint = files::hex(hash.finish());
  return out;
}

std::shared_ptr<const DnaPrompts> prompts_part(const DataConfig& config, const char* part) {
  DnaPromptConfig keys;
  keys.path.set(path_of(config, "a shard of labelled DNA that `longconv data prepare` wrote"));
  keys.part.set(part);
  keys.shots.set(config.prompts.shots());
  keys.max_length.set(config.prompts.max_length());
  return std::make_shared<DnaPrompts>(keys);
}

TaskShape prompts_shape(const DnaPrompts& data) {
  TaskShape out;
  out.vocab_size = DnaTokenizer::kVocabSize;
  out.seq_len = data.seq_len();
  out.last_token = true;
  return out;
}

/// As published, the test part is watched.
TaskData open_prompts(const DataConfig& config, bool only_evaluation) {
  TaskData out;
  if (!only_evaluation) out.train = prompts_part(config, "train");
  const auto test = prompts_part(config, "test");
  out.shape = prompts_shape(*test);
  out.validation = out.test = test;
  out.corpus.folder = config.path();
  out.corpus.fingerprint = files::hex(files::sha256_file(config.path()));
  return out;
}

constexpr std::int64_t kGlueTokens = 128;  // of every published fine-tuning (data.md 5.4)

const std::string& glue_path(const DataConfig& config) {
  return path_of(config, "a shard that `longconv data prepare glue` wrote");
}

TaskShape shape_of(const GlueDataset& data) {
  TaskShape out;
  out.vocab_size = data.vocab_size();
  out.scores = data.task().labels.empty();
  out.labelled = !out.scores;
  out.outputs = std::max<std::int64_t>(1, std::ssize(data.task().labels));
  out.seq_len = kGlueTokens;
  return out;
}

std::shared_ptr<const GlueDataset> glue_train(const DataConfig& config, std::int64_t seq_len) {
  auto train = open_glue_part(glue_path(config), "train", seq_len);
  LONGCONV_CHECK(train != nullptr, DataError, "{}: has no part train", config.path());
  return train;
}

TaskData open_glue(const DataConfig& config, bool only_evaluation) {
  TaskData out;
  const std::string& path = glue_path(config);
  if (!only_evaluation) {
    const auto train = glue_train(config, config.seq_len());
    out.shape = shape_of(*train);
    out.train = train;
  }
  const auto validation = open_glue_part(path, "validation", config.seq_len());
  if (validation != nullptr) out.shape = shape_of(*validation);
  out.validation = validation;
  if (validation != nullptr) {
    const auto& labels = validation->task().labels;
    out.classes.assign(labels.begin(), labels.end());
  }
  out.corpus.folder = path;
  out.corpus.fingerprint = files::hex(files::sha256_file(path));
  return out;
}

TaskData open_language(const DataConfig& config, bool only_evaluation) {
  LanguageData data = open_language_data(config, only_evaluation);
  TaskData out;
  out.shape.vocab_size = data.corpus.tokenizer->vocab_size();
  out.corpus = std::move(data.corpus);
  out.train = std::move(data.train);
  out.stages = std::move(data.stages);
  out.validation = std::move(data.validation);
  return out;
}

}  // namespace

TaskData open_task_data(const DataConfig& config, bool only_evaluation) {
  if (config.task() == "labelled") return open_labelled(config, only_evaluation);
  if (config.task() == "brain") return open_brain(config, only_evaluation);
  if (config.task() == "species") return open_species(config, only_evaluation);
  if (config.task() == "prompts") return open_prompts(config, only_evaluation);
  if (config.task() == "glue") return open_glue(config, only_evaluation);
  return open_language(config, only_evaluation);
}

TaskShape task_shape(const DataConfig& config) {
  if (config.task() == "labelled") {
    const Shard shard(config, /*verify=*/false);
    return shape_of(*shard.train(shard.longest()));
  }
  if (config.task() == "brain") {
    return shape_of(*read_brain_file(path_of(config, "a file of series (.h5, .npy)"),
                                     /*standardise=*/false));
  }
  if (config.task() == "species") {
    return species_shape(std::ssize(species_names(config.species)));
  }
  if (config.task() == "prompts") return prompts_shape(*prompts_part(config, "test"));
  if (config.task() == "glue") return shape_of(*glue_train(config, kGlueTokens));
  TaskShape out;
  out.vocab_size = vocab_size_of(config);
  return out;
}

}  // namespace longconv::data
