// results/<task>.json of a run: what an evaluation measured, of which weights, on which data.
#pragma once

#include "train/evaluation/ngram.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace longconv::train {

struct EvaluationResult {
  std::string task = "perplexity";
  std::string model;              ///< path as given
  std::string checkpoint;         ///< folder of the weights
  std::string checkpoint_sha256;  ///< hex, of model.safetensors
  std::int64_t step = 0;          ///< optimiser steps of the checkpoint; 0 = unknown
  std::string data;               ///< corpus folder
  std::string data_fingerprint;   ///< hex (data::Corpus::fingerprint)
  std::string split = "validation";
  double loss = 0.0;           ///< nats per token
  double perplexity = 0.0;     ///< exp(loss)
  double bits_per_byte = 0.0;  ///< per UTF-8 byte of the split's text
  std::int64_t tokens = 0;     ///< predicted
  std::int64_t bytes = 0;      ///< of the split's text
  std::int64_t seq_len = 0;    ///< window, tokens
  std::int64_t overlap = 0;    ///< tokens of context shared by neighbouring windows
  std::string precision = "float32";
  std::string config;  ///< the resolved configuration, as TOML text
  std::string time;    ///< ISO 8601, UTC; empty = write_result() takes the present
  std::vector<NgramResult> ngrams;
};

/// Something simple, fitted to the training part and measured on the same samples.
struct LabelBaseline {
  std::string name;  ///< e.g. "logistic regression on 784 pixels"
  double accuracy = 0.0;
};

/// Of a classifier, results/accuracy.json.
struct AccuracyResult {
  std::string task = "accuracy";
  std::string model;  ///< this and what follows as in EvaluationResult
  std::string checkpoint;
  std::string checkpoint_sha256;
  std::int64_t step = 0;
  std::string data;
  std::string data_fingerprint;
  std::string split;         ///< test, or validation where there is no test part
  std::int64_t samples = 0;  ///< all of the part
  double accuracy = 0.0;     ///< share of them
  double loss = 0.0;         ///< nats per sample
  std::string precision = "float32";
  std::string config;
  std::string time;
  std::vector<LabelBaseline> baselines;
};

/// What a GLUE model scores on one part of its task.
struct GluePartScores {
  std::string part;  ///< validation, validation_mismatched
  std::int64_t samples = 0;
  double loss = 0.0;
  std::vector<std::pair<std::string, double>> scores;  ///< metric of the task -> value
};

/// Of a fine-tuned model, results/glue.json.
struct GlueResult {
  std::string task = "glue";
  std::string model;  ///< this and what follows as in EvaluationResult
  std::string checkpoint;
  std::string checkpoint_sha256;
  std::int64_t step = 0;
  std::string data;
  std::string data_fingerprint;
  std::string split = "validation";
  double loss = 0.0;      ///< of the part `split`
  std::string glue_task;  ///< cola, ..
  std::string precision = "float32";
  std::string config;
  std::string time;
  std::vector<GluePartScores> parts;
};

/// The result as indented JSON with a final newline; numbers round-trip exactly.
std::string to_json(const EvaluationResult& result);
std::string to_json(const AccuracyResult& result);
std::string to_json(const GlueResult& result);

/// Writes it atomically, creating the folder. Throws EnvironmentError.
void write_result(const std::filesystem::path& path, const EvaluationResult& result);
void write_result(const std::filesystem::path& path, const AccuracyResult& result);
void write_result(const std::filesystem::path& path, const GlueResult& result);

using AnyResult = std::variant<EvaluationResult, AccuracyResult, GlueResult>;

/// Any kind, by its "task". Throws DataError naming the path and the key that is missing or of
/// another type.
AnyResult read_any_result(const std::filesystem::path& path);
/// One of the first kind.
EvaluationResult read_result(const std::filesystem::path& path);

/// The n-gram with the fewest bits per byte, or nullptr if there is none.
const NgramResult* best_ngram(const std::vector<NgramResult>& ngrams);

}  // namespace longconv::train
