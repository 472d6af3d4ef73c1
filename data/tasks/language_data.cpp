#include "data/tasks/language_data.h"

#include "data/tasks/dna_pretraining.h"
#include "data/tasks/documents_lm.h"
#include "data/tasks/mlm.h"
#include "data/tokenizers/dna.h"

namespace longconv::data {

namespace {

std::shared_ptr<const Dataset> train_rows(const DataConfig& config, const Corpus& corpus,
                                          std::int64_t seq_len, bool verify) {
  const std::string& rows = config.rows();
  if (rows == "windows") return std::make_shared<WindowDataset>(corpus.train, seq_len, verify);
  return std::make_shared<DocumentRows>(corpus.train, seq_len, rows == "packed", verify);
}

LanguageData open_shards(const DataConfig& config, bool only_validation) {
  LanguageData out;
  out.corpus = open_corpus(config);
  const std::int64_t seq_len = config.seq_len();
  if (!only_validation) {
    out.train = train_rows(config, out.corpus, seq_len, /*verify=*/true);
    for (std::size_t i = 0; i < config.stage.size(); ++i) {
      out.stages.push_back(
          train_rows(config, out.corpus, config.stage[i].seq_len(), /*verify=*/false));
    }
  }
  if (!out.corpus.validation.empty()) {
    out.validation = std::make_shared<WindowDataset>(out.corpus.validation, seq_len);
  }
  return out;
}

LanguageData open_dna(const DataConfig& config, bool only_validation) {
  LanguageData out;
  // The last id of a window is a target only.
  const std::int64_t length = config.seq_len() + 1;
  const auto validation = std::make_shared<DnaPretraining>(config.dna, "validation", length);
  out.validation = validation;
  out.corpus.folder = config.dna.genome();
  TokenizerOptions options;
  options.upper_case = config.dna.upper_case();
  out.corpus.tokenizer = std::make_shared<DnaTokenizer>(options);
  out.corpus.fingerprint = validation->fingerprint();
  out.corpus.validation_tokens = validation->size() * config.seq_len();
  out.corpus.validation_bytes = out.corpus.validation_tokens;
  if (only_validation) return out;
  const auto train =
      std::make_shared<DnaPretraining>(config.dna, "train", length, validation->genome());
  out.train = train;
  for (std::size_t i = 0; i < config.stage.size(); ++i) {
    out.stages.push_back(train->at_length(config.stage[i].seq_len() + 1));
  }
  out.corpus.fingerprint = files::hex(files::sha256(train->fingerprint() + out.corpus.fingerprint));
  out.corpus.train_tokens = train->size() * config.seq_len();
  out.corpus.train_bytes = out.corpus.train_tokens;
  return out;
}

LanguageData open_masked(const DataConfig& config, bool only_validation) {
  LanguageData out;
  out.corpus = open_corpus(config);
  const auto part = [&](const char* name, std::int64_t seq_len) {
    MlmConfig keys;
    keys.path.set(config.path());
    keys.part.set(name);
    keys.seq_len.set(seq_len);
    keys.train_share.set(config.mlm.train_share());
    keys.evaluation_share.set(config.mlm.evaluation_share());
    return std::make_shared<MlmDataset>(keys);
  };
  if (!only_validation) {
    out.train = part("train", config.seq_len());
    for (std::size_t i = 0; i < config.stage.size(); ++i) {
      out.stages.push_back(part("train", config.stage[i].seq_len()));
    }
  }
  if (!out.corpus.validation.empty()) out.validation = part("validation", config.seq_len());
  return out;
}

}  // namespace

LanguageData open_language_data(const DataConfig& config, bool only_validation) {
  if (config.task() == "dna") return open_dna(config, only_validation);
  if (config.task() == "mlm") return open_masked(config, only_validation);
  return open_shards(config, only_validation);
}

std::int64_t vocab_size_of(const DataConfig& config) {
  if (config.task() == "dna") return DnaTokenizer::kVocabSize;
  return open_corpus(config).tokenizer->vocab_size();
}

}  // namespace longconv::data
