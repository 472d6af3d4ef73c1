// One function a subcommand: its options, its help, and the call.
#include "apps/cli.h"

#include "apps/cli_parts.h"
#include "apps/commands.h"
#include "apps/version.h"
#include "core/base/log.h"
#include "core/config/section.h"
#include "core/runtime/device.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::apps {
namespace {

constexpr const char* kModelHelp =
    "Model: a run folder (its best, else its latest checkpoint), a checkpoint folder, or a folder "
    "with config.toml and model.safetensors";
constexpr const char* kOverridesHelp =
    "Overrides of the configuration, key.sub=value in TOML syntax; bare words are strings";

// Checked here, so that a stray word is a usage error that says what was expected.
const CLI::Validator kOverride(
    [](std::string& word) -> std::string {
      const auto equals = word.find('=');
      if (equals != std::string::npos && equals > 0) return {};
      return fmt::format("expected an override key=value, got \"{}\"", word);
    },
    "KEY=VALUE", "override");

}  // namespace

CLI::App* command(CLI::App& parent, const std::string& name, const std::string& help,
                  const std::string& footer) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->footer(footer);
  app->fallthrough();  // --log-format may stand behind the subcommand
  return app;
}

void add_json(CLI::App* app, bool& json) {
  app->add_flag("--json", json, "Print the result as one JSON object");
}

void add_overrides(CLI::App* app, std::vector<std::string>& overrides) {
  app->add_option("overrides", overrides, kOverridesHelp)->type_name("KEY=VALUE")->check(kOverride);
}

namespace {

void add_train(CLI::App& program, log::Format format, Action& action) {
  CLI::App* app = command(program, "train", "Train a model from one TOML file, or resume its run",
                          R"(Examples:
  longconv train configs/smoke/tiny.toml
  longconv train configs/quickstart/text.toml optim.lr=2e-3 run.dir=runs/lr2e-3
  longconv train configs/lm/hyena_153m.toml --print-config > mine.toml

A run that was stopped goes on where it was when the same command is given again
(train.resume). Ctrl-C and SIGTERM save a checkpoint first and end with code 75.
All keys with their help: longconv train CONFIG --print-config)");
  auto options = std::make_shared<TrainOptions>();
  options->progress = format == log::Format::text;
  app->add_option("config", options->config, "Configuration of the run")
      ->type_name("TOML")
      ->required();
  add_overrides(app, options->overrides);
  app->add_flag("--print-config", options->print_config,
                "Print the resolved configuration, every key with its help, and end");
  app->add_flag("--dry-run", options->dry_run,
                "Build everything, run one forward and backward pass, write nothing");
  app->callback([options, &action] { action = computing([options] { return train(*options); }); });
}

void add_finetune(CLI::App& program, log::Format format, Action& action) {
  CLI::App* app =
      command(program, "finetune", "Train on from a model's weights, once for each seed",
              R"(Examples:
  longconv finetune configs/glue/mnli.toml init.from=models/m2_bert_80m
  longconv finetune configs/glue/rte.toml init.from=runs/mnli/checkpoints/latest --submission
  longconv finetune configs/glue/cola.toml init.from=models/m2_bert_80m finetune.seeds=[19]

init.from names the model. Prints what each run's last evaluation measured (of GLUE the task's own
metrics) and their mean; with several seeds also in finetune.json in run.dir. The same command goes
on where it was stopped.)");
  auto options = std::make_shared<FinetuneOptions>();
  options->progress = format == log::Format::text;
  app->add_option("config", options->config, "Configuration of the runs")
      ->type_name("TOML")
      ->required();
  add_overrides(app, options->overrides);
  app->add_flag("--submission", options->submission,
                "GLUE: also predict the test parts, into submission/ of each run");
  add_json(app, options->json);
  app->callback(
      [options, &action] { action = computing([options] { return finetune(*options); }); });
}

void add_eval(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "eval", "Measure a trained model on held-out data",
                          R"(Examples:
  longconv eval runs/text perplexity
  longconv eval runs/text perplexity --overlap 64 --ngrams
  longconv eval runs/text/checkpoints/step_0000500 perplexity data.path=corpora/other --json
  longconv eval runs/fashion_mnist accuracy --logistic
  longconv eval runs/mnli/checkpoints/latest glue --submission submission

Accuracy is that of the data's test part, or of validation where there is none. The result of a run
folder is also kept in its results/<task>.json.)");
  auto options = std::make_shared<EvalOptions>();
  app->add_option("model", options->model, kModelHelp)->type_name("FOLDER")->required();
  app->add_option("task", options->task, "What to measure")
      ->type_name("TASK")
      ->required()
      ->check(CLI::IsMember({"perplexity", "accuracy", "glue"}));
  add_overrides(app, options->overrides);
  app->add_option("--overlap", options->overlap,
                  "Tokens of each window that only give context to the others")
      ->type_name("TOKENS")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("--ngrams", options->ngrams,
                "Also fit n-gram models on the training split and measure them beside it");
  app->add_option("--submission", options->submission,
                  "glue: also predict the test parts and write GLUE's files of them here")
      ->type_name("FOLDER");
  app->add_flag(
      "--logistic", options->logistic,
      "accuracy: also fit logistic regressions on the pixels, or of DNA on its k-mers, and "
      "measure them beside it");
  add_json(app, options->json);
  app->callback([options, &action] { action = computing([options] { return eval(*options); }); });
}

void add_generate(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "generate", "Continue a prompt with a language model",
                          R"(Examples:
  longconv generate runs/text --prompt "In the beginning"
  longconv generate runs/text --prompt "And" --tokens 200 --temperature 0.8 --top-p 0.95 --seed 1
  longconv generate runs/text --samples 5 --json)");
  auto options = std::make_shared<GenerateOptions>();
  app->add_option("model", options->model, kModelHelp)->type_name("FOLDER")->required();
  app->add_option("--prompt", options->prompt, "Text to continue; - reads it from stdin")
      ->type_name("TEXT");
  app->add_option("--tokens", options->tokens, "Tokens to add")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app->add_option("--samples", options->samples, "Continuations, with seeds SEED, SEED+1, ...")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app->add_option("--temperature", options->temperature, "0 = always the most likely token")
      ->type_name("T")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--top-k", options->top_k, "Sample among the K most likely; 0 = all")
      ->type_name("K")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--top-p", options->top_p, "Sample among the fewest tokens with this mass")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--seed", options->seed, "Seed of the sampling")->type_name("N");
  app->add_option("--device", options->device, "auto, cpu, cuda or cuda:N")->type_name("DEVICE");
  add_json(app, options->json);
  app->callback(
      [options, &action] { action = computing([options] { return generate(*options); }); });
}

void add_predict(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "predict", "Write a model's outputs for every row of a file",
                          R"(Examples:
  longconv predict models/hyenadna --input genes.fa --output genes.npy --what embedding
  longconv predict runs/text --input documents.jsonl --output losses.jsonl --what loss
  longconv predict runs/text --input ids.npy --output logits.safetensors --what logits --dtype bf16

logits include the padded columns of the vocabulary; hidden is taken after the final norm; embedding
is the mean of hidden over the positions that count, loss the mean negative log likelihood of the
next token. A row is a line of ids, a FASTA sequence, a line of JSONL or a whole text file.)");
  auto options = std::make_shared<PredictOptions>();
  app->add_option("model", options->model, kModelHelp)->type_name("FOLDER")->required();
  add_overrides(app, options->overrides);
  app->add_option("--input", options->input,
                  "Rows: token ids in .npy, sequences in .fa, .fna, .fasta, texts in .jsonl, .txt; "
                  "all but .npy also with .gz")
      ->type_name("FILE")
      ->required();
  app->add_option("--mask", options->mask,
                  "Which positions of the ids count: 0 and 1 in .npy, of the same shape")
      ->type_name("FILE");
  app->add_option("--output", options->output, "Results: .npy, .safetensors or .jsonl")
      ->type_name("FILE")
      ->required();
  app->add_option("--what", options->what, "logits, hidden, embedding or loss")
      ->type_name("WHAT")
      ->required()
      ->check(CLI::IsMember({"logits", "hidden", "embedding", "loss"}));
  app->add_option("--dtype", options->dtype, "Arithmetic: float32, bf16 or float64")
      ->type_name("DTYPE")
      ->check(CLI::IsMember({"float32", "bf16", "float64"}));
  app->add_option("--device", options->device, "auto, cpu, cuda or cuda:N")->type_name("DEVICE");
  add_json(app, options->json);
  app->callback(
      [options, &action] { action = computing([options] { return predict(*options); }); });
}

void add_import(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "import", "Turn published weights into a model folder",
                          R"(Examples:
  longconv import hyenadna-tiny-1k-seqlen --out models/tiny
  longconv import weights.ckpt --out models/mine model.filter.shift=0.0
  longconv import finetuned.pt --out models/tuned --allow 'score.*'

Reads Lightning checkpoints, state dicts of torch.save, safetensors (also in shards) and folders of
Hugging Face, without running what is in them: Hyena-GPT, HyenaDNA, M2-BERT and LongConv, language
models and classifiers. Shows what it repaired, read, dropped and had to assume; overrides settle what a file cannot say.)");
  auto options = std::make_shared<ImportOptions>();
  app->add_option("source", options->source, "File, or folder that holds one")
      ->type_name("PATH")
      ->required();
  add_overrides(app, options->overrides);
  app->add_option("--out", options->out, "Model folder to write")->type_name("FOLDER")->required();
  app->add_option("--allow", options->allow,
                  "Tensors that may be missing (initialised), left over or of another shape "
                  "(dropped); * stands for anything")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  add_json(app, options->json);
  app->callback([options, &action] { action = [options] { return import_model(*options); }; });
}

void add_export(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "export", "Write a model's weights for Python's loaders",
                          R"(Examples:
  longconv export models/tiny --format hf --out hyenadna-tiny-hf
  longconv export runs/dna --format safetensors --out exported

safetensors: names as in the original checkpoints (model.backbone...), and config.json in their
words. hf: those of the Hugging Face port of HyenaDNA (hyena.backbone...).)");
  auto options = std::make_shared<ExportOptions>();
  app->add_option("model", options->model, kModelHelp)->type_name("FOLDER")->required();
  app->add_option("--format", options->format, "safetensors or hf")
      ->type_name("FORMAT")
      ->required()
      ->check(CLI::IsMember({"safetensors", "hf"}));
  app->add_option("--out", options->out, "Folder to write")->type_name("FOLDER")->required();
  add_json(app, options->json);
  app->callback([options, &action] { action = [options] { return export_model(*options); }; });
}

void add_inspect(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "inspect", "Show what a file or folder holds",
                          R"(Examples:
  longconv inspect runs/text
  longconv inspect runs/text/checkpoints/latest/model.safetensors
  longconv inspect configs/lm/hyena_153m.toml

Takes a TOML configuration (parameters, FLOPs per token), a run, checkpoint, model or corpus folder,
weights (.safetensors, and .pt, .pth, .bin and .ckpt of torch.save, without running what is in them;
shapes, statistics, NaN and infinity counts), .npy files and .lct shards.)");
  auto options = std::make_shared<InspectOptions>();
  app->add_option("path", options->path, "File or folder")->type_name("PATH")->required();
  add_json(app, options->json);
  app->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

void add_doctor(CLI::App& program, Action& action) {
  CLI::App* app =
      command(program, "doctor", "Explain what this machine offers, and what is missing",
              "Ends with 0 if longconv can work here and with 8 if something needed is "
              "missing.");
  auto options = std::make_shared<DoctorOptions>();
  add_json(app, options->json);
  app->callback([options, &action] { action = computing([options] { return doctor(*options); }); });
}

void add_bench(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "bench", "Measure convolutions or whole training steps",
                          "Each has its own help: longconv bench conv --help");
  app->require_subcommand(1);
  auto options = std::make_shared<BenchOptions>();

  CLI::App* conv = command(*app, "conv", "Time the long convolution, forward and backward",
                           R"(Example:
  longconv bench conv --lengths 1024,8192,65536 --batch 16 --channels 768 --dtype bf16 --json
  longconv bench conv --preset paper)");
  CLI::Option* lengths =
      conv->add_option("--lengths", options->lengths, "Sequence lengths, separated by commas")
          ->type_name("L,...")
          ->delimiter(',')
          ->check(CLI::PositiveNumber);
  CLI::Option* batch =
      conv->add_option("--batch", options->batch, "Sequences")->check(CLI::PositiveNumber);
  CLI::Option* channels =
      conv->add_option("--channels", options->channels, "Channels")->check(CLI::PositiveNumber);
  CLI::Option* dtype = conv->add_option("--dtype", options->dtype, "Of input and output")
                           ->type_name("DTYPE")
                           ->check(CLI::IsMember({"float64", "float32", "bf16", "fp16"}));
  CLI::Option* gated =
      conv->add_flag("--gated", options->gated, "With both gates, as Hyena uses it");
  CLI::Option* no_skip =
      conv->add_flag("--no-skip", options->no_skip, "Without the skip that a channel adds");
  CLI::Option* filters = conv->add_option("--filters", options->filters, "Filters a channel")
                             ->check(CLI::PositiveNumber);
  CLI::Option* mode =
      conv->add_option("--mode", options->mode, "Which way the filter reaches")
          ->type_name("MODE")
          ->check(CLI::IsMember({"causal", "bidirectional", "conjugate", "circular"}));
  conv->add_option("--plot", options->plot, "Also draw time over floor against length, as SVG")
      ->type_name("FILE");
  conv->add_option("--preset", options->preset,
                   "paper: 256 to 32,768 steps, 64 x 768, bf16, beside the best of the others")
      ->type_name("NAME")
      ->check(CLI::IsMember({"paper"}))
      ->excludes(lengths)
      ->excludes(batch)
      ->excludes(channels)
      ->excludes(dtype)
      ->excludes(gated)
      ->excludes(no_skip)
      ->excludes(filters)
      ->excludes(mode);

  CLI::App* around = command(*app, "short", "Time the short convolution and the projections",
                             R"(Example:
  longconv bench short --lengths 1024,4096 --batch 64 --channels 768 --dtype bf16 --json

What stands around the long convolution in a Hyena operator, beside what moving its bytes takes: the
short convolution of 3 x channels in both layouts, its pass fused with the first gate, and the output
projection.)");
  around->add_option("--lengths", options->lengths, "Sequence lengths, separated by commas")
      ->type_name("L,...")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  around->add_option("--batch", options->batch, "Sequences")->check(CLI::PositiveNumber);
  around->add_option("--channels", options->channels, "Channels of the long convolution")
      ->check(CLI::PositiveNumber);
  around->add_option("--taps", options->taps, "Taps of the short convolution")
      ->check(CLI::Range(1, 8));
  around->add_option("--dtype", options->dtype, "Of input and output")
      ->type_name("DTYPE")
      ->check(CLI::IsMember({"float64", "float32", "bf16", "fp16"}));

  CLI::App* model = command(*app, "model", "Time training steps of a configuration on random ids",
                            R"(Examples:
  longconv bench model configs/smoke/tiny.toml
  longconv bench model configs/lm/hyena_153m.toml data.batch_size=16 --repeats 50 --json

Shows tokens/s, peak memory and the share of time in the long convolution. No data is read: set
model.vocab_size where the configuration leaves it to the tokenizer.)");
  model->add_option("config", options->config, "Configuration of a run")
      ->type_name("TOML")
      ->required();
  add_overrides(model, options->overrides);

  for (CLI::App* sub : {conv, around, model}) {
    sub->add_option("--device", options->device, "auto, cpu, cuda or cuda:N")->type_name("DEVICE");
    sub->add_option("--repeats", options->repeats, "Measurements")
        ->type_name("N")
        ->check(CLI::PositiveNumber);
    add_json(sub, options->json);
    sub->callback([options, sub, &action] {
      options->what = sub->get_name();
      action = computing([options] { return bench(*options); });
    });
  }
}

void add_report(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "report", "Write one HTML file about one or several runs",
                          R"(Examples:
  longconv report runs/text
  longconv report runs/a runs/b --out compare.html)");
  auto options = std::make_shared<ReportOptions>();
  app->add_option("runs", options->runs, "Run folders")->type_name("RUN")->required();
  app->add_option("--out", options->out, "HTML file; default report.html in the first run")
      ->type_name("FILE");
  app->callback([options, &action] { action = [options] { return report(*options); }; });
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// CLI11 shows an empty list's default as "[]"; a reader would try to type it.
void hide_empty_defaults(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_default_str() == "[]") option->default_str("");
  }
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) {
    hide_empty_defaults(*sub);
  }
}

/// "longconv data prepare"
std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + ' ' + app.get_name();
}

/// Names a mistyped subcommand before CLI11 can, because CLI11 knows no nearest word. Returns the
/// deepest subcommand named, for later messages.
const CLI::App* check_subcommands(const CLI::App& program, const std::vector<std::string>& words) {
  const CLI::App* at = &program;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::vector<const CLI::App*> known = subcommands(*at);
    if (known.empty()) return at;
    if (words[i] == "--log-format") ++i;
    if (i >= words.size() || words[i].starts_with('-')) continue;
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* sub : known) {
      names.push_back(sub->get_name());
      if (sub->get_name() == words[i]) next = sub;
    }
    if (next == nullptr) {
      const std::string near = config::nearest(words[i], names);
      throw UsageError(
          fmt::format("{}: unknown subcommand \"{}\"{}\n  there are: {}; see `{} --help`",
                      full_name(*at), words[i], near.empty() ? "" : "; did you mean " + near + "?",
                      fmt::join(names, " "), full_name(*at)));
    }
    at = next;
  }
  return at;
}

/// What CLI11 says, with the nearest option for an unknown one and where to read on.
std::string explain(const CLI::ParseError& error, const CLI::App& app,
                    const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  std::string near;
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || name == "--") continue;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    near = config::nearest(name, known);
    if (!near.empty()) near = fmt::format("; did you mean {} for {}?", near, name);
    break;
  }
  return fmt::format("{}: {}{}\n  see `{} --help`", full_name(app), error.what(), near,
                     full_name(app));
}

}  // namespace

ExitCode run(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  // Known before the rest is parsed, so that a usage error has the wanted form as well.
  log::Format format = log::Format::text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--log-format=json" ||
        (words[i] == "--log-format" && i + 1 < words.size() && words[i + 1] == "json")) {
      format = log::Format::json;
    }
  }
  log::init(format);

  CLI::App program("LongConv: train and use long-convolution sequence models", "longconv");
  program.get_formatter()->column_width(32);
  program.option_defaults()->always_capture_default();  // so that every help shows them
  program.set_version_flag("--version", version_text,
                           "Print version, commit, LibTorch and CUDA, and end");
  std::string log_format = "text";
  program.add_option("--log-format", log_format, "Of the messages on stderr: text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}));
  program.require_subcommand(1);
  program.footer(R"(Results go to stdout, everything else to stderr; NO_COLOR turns colours off.
Exit codes: 0 ok, 1 a bug of longconv, 2 usage, 3 configuration, 4 data, 5 checkpoint or weights,
6 out of memory, 7 non-finite loss, 8 environment (no GPU, disk, permission, folder in use),
75 interrupted and saved: start it again, 130 interrupted with nothing to save.

A first run:
  longconv data prepare FILE.txt --out corpora/smoke --holdout FILE.txt=0.1
  longconv train configs/smoke/text.toml)");
  Action action;
  add_train(program, format, action);
  add_finetune(program, format, action);
  add_eval(program, action);
  add_generate(program, action);
  add_predict(program, action);
  add_data(program, action);
  add_import(program, action);
  add_export(program, action);
  add_inspect(program, action);
  add_doctor(program, action);
  add_bench(program, action);
  add_report(program, action);
  hide_empty_defaults(program);

  const CLI::App* at = check_subcommands(program, words);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    program.exit(help, std::cout, std::cerr);
    std::cout.flush();
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    throw UsageError(explain(error, *at, words));
  }
  return action();
}

}  // namespace longconv::apps
