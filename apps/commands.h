// The subcommands of `longconv`: what each is given and the function that does it.
//
// apps/cli.cpp and cli_data.cpp alone parse arguments (CLI11 costs 10 s a unit); they fill these
// and calls the function. Results go to stdout (JSON where `json`), everything else to stderr.
// Functions throw longconv::Error; main() turns it into the exit code.
#pragma once

#include "core/base/error.h"
#include "data/tasks/prepare.h"

#include <cstdint>
#include <string>
#include <vector>

namespace longconv::apps {

struct TrainOptions {
  std::string config;                  ///< TOML file
  std::vector<std::string> overrides;  ///< key.sub=value
  bool print_config = false;
  bool dry_run = false;  ///< build everything, run one step's shapes, write nothing
  bool progress = true;  ///< a progress bar where stderr is a terminal; not among JSON lines
};
ExitCode train(const TrainOptions& options);

struct FinetuneOptions {
  std::string config;                  ///< TOML file
  std::vector<std::string> overrides;  ///< key.sub=value
  bool submission = false;  ///< of GLUE: also predict the test parts, in each run's folder
  bool progress = true;     ///< as in TrainOptions
  bool json = false;
};
ExitCode finetune(const FinetuneOptions& options);

struct EvalOptions {
  std::string model;                   ///< model, run or checkpoint folder
  std::string task;                    ///< "perplexity", "accuracy", "glue"
  std::vector<std::string> overrides;  ///< of the model's config: data.path=..., run.device=...
  std::int64_t overlap = 0;            ///< tokens of context shared by neighbouring windows
  bool ngrams = false;                 ///< perplexity: also fit and print the n-gram baselines
  bool logistic = false;  ///< accuracy: also fit and print logistic regressions on pixels or k-mers
  std::string submission;  ///< glue: folder for the predictions of test parts, or empty
  bool json = false;
};
ExitCode eval(const EvalOptions& options);
ExitCode eval_accuracy(const EvalOptions& options);
ExitCode eval_glue(const EvalOptions& options);

struct GenerateOptions {
  std::string model;
  std::string prompt;
  std::int64_t tokens = 100;
  std::int64_t samples = 1;
  double temperature = 1.0;
  std::int64_t top_k = 0;  ///< 0 = all
  double top_p = 1.0;
  std::uint64_t seed = 0;
  std::string device = "auto";
  bool json = false;
};
ExitCode generate(const GenerateOptions& options);

struct PredictOptions {
  std::string model;
  std::string input;                   ///< .npy of ids, FASTA, text or JSONL
  std::string mask;                    ///< .npy of 0 and 1, or empty
  std::string output;                  ///< .npy, .safetensors, .jsonl
  std::string what;                    ///< logits, hidden, embedding, loss
  std::string dtype = "float32";       ///< float32, bf16, float64
  std::vector<std::string> overrides;  ///< of the model's config
  std::string device = "auto";
  bool json = false;
};
ExitCode predict(const PredictOptions& options);

struct ImportOptions {
  std::string source;                  ///< file or folder of published weights
  std::string out;                     ///< model folder to write
  std::vector<std::string> overrides;  ///< model.filter.shift=0.05
  std::vector<std::string> allow;      ///< tensors that may be missing, left over, misshapen
  bool json = false;
};
ExitCode import_model(const ImportOptions& options);

struct ExportOptions {
  std::string model;   ///< model, run or checkpoint folder
  std::string format;  ///< safetensors, hf
  std::string out;     ///< folder to write
  bool json = false;
};
ExitCode export_model(const ExportOptions& options);

struct InspectOptions {
  std::string path;  ///< model folder, run, checkpoint, weights, npy, token shard, corpus, TOML
  bool json = false;
};
ExitCode inspect(const InspectOptions& options);

struct DoctorOptions {
  bool json = false;
};
ExitCode doctor(const DoctorOptions& options);

struct BenchOptions {
  std::string what;    ///< "conv", "short" or "model"
  std::string config;  ///< model: TOML file
  std::vector<std::string> overrides;
  std::vector<std::int64_t> lengths;
  std::int64_t batch = 64;
  std::int64_t channels = 768;
  std::string dtype = "bf16";
  std::string device = "auto";
  std::int64_t repeats = 20;
  std::int64_t taps = 3;        ///< short: of the short convolution
  bool gated = false;           ///< conv: with both gates, as Hyena uses it
  bool no_skip = false;         ///< conv: without the per-channel skip
  std::int64_t filters = 1;     ///< conv: filters a channel
  std::string mode = "causal";  ///< conv: causal, bidirectional, conjugate, circular
  std::string plot;             ///< conv: SVG file of time over floor, or empty
  std::string preset;           ///< conv: "" or "paper", which sets all of the above but the device
  bool json = false;
};
ExitCode bench(const BenchOptions& options);

struct ReportOptions {
  std::vector<std::string> runs;
  std::string out;  ///< HTML file; empty = report.html in the first run
};
ExitCode report(const ReportOptions& options);

struct DataPrepareOptions {
  data::PrepareOptions text;  ///< its sources: those of a corpus, or the words after a task's name
  std::string part;           ///< "I/N", or empty
  bool json = false;
};
ExitCode data_prepare(const DataPrepareOptions& options);
/// `data prepare TASK FOLDER [key=value ...]`: whether the sources are that, and what it does.
bool is_labelled_data_set(const std::vector<std::string>& sources);
ExitCode prepare_labelled(const DataPrepareOptions& options);

struct DataTokenizerOptions {
  std::string action;                ///< train, encode, decode, check
  std::vector<std::string> sources;  ///< train, check: text files
  std::string tokenizer;             ///< encode, decode, check
  std::string model = "unigram";     ///< train
  std::int64_t vocab = 2000;         ///< train
  std::int64_t min_count = 15;       ///< train, characters
  std::string out;                   ///< train: folder
  bool jsonl = false;                ///< encode: a JSON string a line -> a JSON array a line
  bool hex = false;                  ///< decode: bytes as hexadecimal
  bool plain_specials = false;       ///< special tokens in a text are text like any other
  bool keep_case = false;            ///< dna: lower case and IUPAC codes are [UNK]
  double sample = -1;                ///< encode: alpha of the sampling, < 0 for none
  std::uint64_t seed = 0;            ///< encode: of the sampling
};
ExitCode data_tokenizer(const DataTokenizerOptions& options);

struct DataGenerateOptions {
  std::string task;                   ///< pathfinder, ...
  std::vector<std::string> settings;  ///< key=value
  std::string out;                    ///< sample shard
  std::int64_t threads = 0;           ///< 0 = one a core
  bool print_config = false;
  bool json = false;
};
ExitCode data_generate(const DataGenerateOptions& options);

struct DataInspectOptions {
  std::string path;  ///< corpus folder, shard, HDF5 container
  std::int64_t samples = 3;
  std::string png{};  ///< of images: also write the samples to this file
  bool verify = false;
  bool json = false;
};
ExitCode data_inspect(const DataInspectOptions& options);

struct DataBenchOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::int64_t steps = 100;
  double step_ms = 0.0;  ///< what a step computes between its batches
  bool json = false;
};
ExitCode data_bench(const DataBenchOptions& options);

struct DataConvertOptions {
  std::string source;     ///< .lct, .h5, .npy, nanoGPT or llm.c .bin
  std::string target;     ///< .lct, .h5, .npy
  std::string tokenizer;  ///< fingerprint for foreign token files
  bool json = false;
};
ExitCode data_convert(const DataConvertOptions& options);

}  // namespace longconv::apps
