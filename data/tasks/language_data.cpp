#include "data/tasks/language_data.h"

#include "data/tasks/dna_pretraining.h"
#include "data/tokenizers/dna.h"

namespace longconv::data {

namespace {

LanguageData open_shards(const DataConfig& config, bool only_validation) {
  LanguageData out;
  out.corpus = open_corpus(config);
  const std::int64_t seq_len = config.seq_len();
  if (!only_validation) out.train = std::make_shared<WindowDataset>(out.corpus.train, seq_len);
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
  out.corpus.fingerprint = files::hex(files::sha256(train->fingerprint() + out.corpus.fingerprint));
  out.corpus.train_tokens = train->size() * config.seq_len();
  out.corpus.train_bytes = out.corpus.train_tokens;
  return out;
}

}  // namespace

LanguageData open_language_data(const DataConfig& config, bool only_validation) {
  return config.task() == "dna" ? open_dna(config, only_validation)
                                : open_shards(config, only_validation);
}

std::int64_t vocab_size_of(const DataConfig& config) {
  if (config.task() == "dna") return DnaTokenizer::kVocabSize;
  return open_corpus(config).tokenizer->vocab_size();
}

}  // namespace longconv::data
