// The only unit that includes CLI11 (10 s to compile). One function a subcommand: its options, its
// help, and the call.
#include "apps/cli.h"

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

/// What the parsed command line asks for; empty if it was only help or the version.
using Action = std::function<ExitCode()>;

/// For commands that compute: prepare_threads() may start the program again, which costs 0.3 s that
/// `--help`, `inspect` and the like need not wait for. Nothing has been done or read before.
template <class Command>
Action computing(Command command) {
  return [command] {
    runtime::prepare_threads();
    return command();
  };
}

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

void add_eval(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "eval", "Measure a trained model on held-out data",
                          R"(Examples:
  longconv eval runs/text perplexity
  longconv eval runs/text perplexity --overlap 64 --ngrams
  longconv eval runs/text/checkpoints/step_0000500 perplexity data.path=corpora/other --json

The result of a run folder is also kept in its results/perplexity.json.)");
  auto options = std::make_shared<EvalOptions>();
  app->add_option("model", options->model, kModelHelp)->type_name("FOLDER")->required();
  app->add_option("task", options->task, "What to measure")
      ->type_name("TASK")
      ->required()
      ->check(CLI::IsMember({"perplexity"}));
  add_overrides(app, options->overrides);
  app->add_option("--overlap", options->overlap,
                  "Tokens of each window that only give context to the others")
      ->type_name("TOKENS")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("--ngrams", options->ngrams,
                "Also fit n-gram models on the training split and measure them beside it");
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

void add_data_prepare(CLI::App& data, Action& action) {
  CLI::App* app = command(data, "prepare", "Turn text into a corpus of token shards",
                          R"(Examples:
  longconv data prepare book.txt --out corpora/book --holdout book.txt=0.1
  longconv data prepare text pile/train --validation pile/val.jsonl.zst --tokenizer gpt2 --out corpora/pile
  longconv data prepare text pile/train --tokenizer gpt2 --out corpora/pile --part 1/4
  longconv data prepare wikitext wikitext-103-raw --out corpora/wikitext
  longconv data prepare openwebtext owt.jsonl.zst --out corpora/owt
  longconv data prepare c4 c4/en --out corpora/c4

A .txt file is one document; a .jsonl file has one a line, in its "text" field; both may be under
.zst or .gz. Folders are searched for these. The corpus has train/ and validation/ shards,
tokenizer/ and manifest.json. Stopped or killed, the same command goes on with what was not
finished; several processes may share the work with --part, on machines that share the folder.

Labelled data sets become one sample shard: data prepare TASK FOLDER [key=value ...] --out FILE.lcs,
TASK one of pathfinder, listops, imdb, aan, cifar10, mnist, glue, genomic_benchmark,
nucleotide_transformer, dna_fasta:
  longconv data prepare glue glue_data task=mnli --out mnli.lcs
  longconv data prepare mnist /usr/share/datasets/fashion-mnist fashion=true --out fashion.lcs)");
  auto options = std::make_shared<DataPrepareOptions>();
  auto no_eos = std::make_shared<bool>(false);
  data::PrepareOptions& text = options->text;
  text.tokenizer.clear();  // the recipe's
  app->add_option("sources", text.sources,
                  "Text: .txt, .jsonl, the same with .zst or .gz, folders of these, - for stdin, "
                  "after text, wikitext, openwebtext or c4 if wanted; or TASK FOLDER")
      ->type_name("SOURCE");
  app->add_option("--out", text.out, "Corpus folder, or sample shard, to write")
      ->type_name("FOLDER")
      ->required();
  app->add_option("--tokenizer", text.tokenizer,
                  "A name (bytes, gpt2, bert, ...); unigram:N, bpe:N or char:N to train one of N "
                  "ids on the training text; or the path of one that exists; default bytes, for "
                  "wikitext and openwebtext gpt2, for c4 bert")
      ->type_name("NAME");
  app->add_option("--validation", text.validation, "Text for validation only")
      ->type_name("SOURCE")
      ->expected(1, -1);
  app->add_option("--holdout", text.holdout,
                  "FILE_NAME=SHARE: the last share of that file's bytes is validation")
      ->type_name("FILE=SHARE")
      ->expected(1, -1);
  app->add_option("--validation-share", text.validation_share,
                  "Share of the documents that are validation, drawn with --split-seed")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--split-seed", text.split_seed, "Seed of --validation-share")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("--lines", text.lines, "A line of a text is a document, with its line break");
  app->add_option("--document-chars", text.document_chars,
                  "Keep so many characters of each document; 0 = all")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--document-tokens", text.document_tokens,
                  "Keep so many tokens of each document; 0 = all")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("--plain-specials", text.plain_specials,
                "Special tokens written in a text are text like any other");
  app->add_flag("--no-eos", *no_eos, "Put no end-of-text id after the documents");
  app->add_option("--max-bad", text.max_bad,
                  "Share of the lines that may be bad; they are left out and listed in "
                  "bad_lines.jsonl")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0));
  app->add_option("--part", options->part,
                  "I/N: do the I-th of N parts of the work; the last to finish makes the corpus")
      ->type_name("I/N");
  app->add_option("--threads", text.threads, "Threads that encode; 0 = one a core")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  add_json(app, options->json);
  app->callback([options, no_eos, &action] {
    options->text.eos = !*no_eos;
    action = [options] { return data_prepare(*options); };
  });
}

void add_data_tokenizer(CLI::App& data, Action& action) {
  CLI::App* app = command(data, "tokenizer", "Train a tokenizer, or use one",
                          R"(Examples:
  longconv data tokenizer train book.txt --model unigram --vocab 2000 --out corpora/tokenizer
  echo "In the beginning" | longconv data tokenizer encode --tokenizer corpora/tokenizer
  echo '"In the beginning"' | longconv data tokenizer encode --tokenizer corpora/tokenizer --jsonl
  echo '[5, 12, 9]' | longconv data tokenizer decode --tokenizer corpora/tokenizer
  longconv data tokenizer check book.txt --tokenizer corpora/tokenizer
  echo '"Hello world"' | longconv data tokenizer encode --tokenizer gpt2 --jsonl

encode and decode read stdin and write stdout, one text or one array of ids a line. The names gpt2
and bert want scripts/vocabularies to have run.)");
  auto options = std::make_shared<DataTokenizerOptions>();
  app->add_option("action", options->action, "What to do")
      ->type_name("ACTION")
      ->required()
      ->check(CLI::IsMember({"train", "encode", "decode", "check"}));
  app->add_option("sources", options->sources, "train, check: text files")->type_name("SOURCE");
  app->add_option("--tokenizer", options->tokenizer,
                  "encode, decode, check: bytes, gpt2, bert, dna, listops, lra_bytes; or *.model, "
                  "tokenizer.json, vocab.txt, or a folder that holds a tokenizer")
      ->type_name("NAME");
  app->add_option("--model", options->model,
                  "train: unigram, bpe or char (SentencePiece), or characters")
      ->type_name("KIND")
      ->check(CLI::IsMember({"unigram", "bpe", "char", "characters"}));
  app->add_option("--vocab", options->vocab, "train: number of ids")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app->add_option("--min-count", options->min_count,
                  "train characters: those that occur less often are unknown")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app->add_option("--out", options->out, "train: folder to write")->type_name("FOLDER");
  app->add_flag("--jsonl", options->jsonl,
                "encode: a JSON string a line gives a JSON array a line");
  app->add_flag("--hex", options->hex, "decode: bytes as hexadecimal");
  app->add_flag("--plain-specials", options->plain_specials,
                "gpt2, bert: special tokens written in a text are text like any other");
  app->add_flag("--keep-case", options->keep_case,
                "dna: lower case and IUPAC codes are [UNK], as in the published models");
  app->add_option("--sample", options->sample,
                  "encode: draw one of the ways (unigram: exponent; bpe: share of merges left out)")
      ->type_name("ALPHA")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--seed", options->seed, "encode: seed of --sample; line n adds n")
      ->type_name("N");
  app->callback([options, &action] { action = [options] { return data_tokenizer(*options); }; });
}

void add_data_generate(CLI::App& data, Action& action) {
  CLI::App* app = command(data, "generate", "Make a labelled data set",
                          R"(Examples:
  longconv data generate pathfinder size=128 count=200000 --out corpora/pathx.lcs
  longconv data generate listops --out corpora/listops.lcs
  longconv data generate pathfinder --print-config

Writes one sample shard, the same bytes for any number of threads.)");
  auto options = std::make_shared<DataGenerateOptions>();
  app->add_option("task", options->task, "What to make: pathfinder, listops, recall, induction")
      ->type_name("TASK")
      ->required();
  app->add_option("settings", options->settings, "The task's keys, key=value")
      ->type_name("KEY=VALUE");
  app->add_option("--out", options->out, "Sample shard (.lcs) to write")->type_name("FILE");
  app->add_option("--threads", options->threads, "Threads; 0 = one a core")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  app->add_flag("--print-config", options->print_config, "Show the task's keys, and write nothing");
  add_json(app, options->json);
  app->callback([options, &action] { action = [options] { return data_generate(*options); }; });
}

void add_data_bench(CLI::App& data, Action& action) {
  CLI::App* app = command(data, "bench", "Time a run's batches, without its model",
                          R"(Examples:
  longconv data bench configs/lm/hyena_153m.toml
  longconv data bench configs/dna/hyenadna_medium_160k.toml --step-ms 250 data.workers=4

Shows how fast batches come when nothing else happens, and how long a step that computes for
--step-ms would wait for its own.)");
  auto options = std::make_shared<DataBenchOptions>();
  app->add_option("config", options->config, "TOML file of a run")->type_name("CONFIG")->required();
  add_overrides(app, options->overrides);
  app->add_option("--steps", options->steps, "Optimiser steps to take the batches of")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app->add_option("--step-ms", options->step_ms, "Time a step computes; 0 = none")
      ->type_name("MS")
      ->check(CLI::NonNegativeNumber);
  add_json(app, options->json);
  app->callback([options, &action] { action = [options] { return data_bench(*options); }; });
}

void add_data(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "data", "Prepare, convert and look into training data",
                          "Each has its own help: longconv data prepare --help");
  app->require_subcommand(1);
  add_data_prepare(*app, action);
  add_data_tokenizer(*app, action);
  add_data_generate(*app, action);
  add_data_bench(*app, action);

  CLI::App* inspect = command(*app, "inspect", "Show what a corpus, shard or container holds",
                              R"(Examples:
  longconv data inspect corpora/book --samples 5
  longconv data inspect corpora/book/train/000.lct --verify
  longconv data inspect corpora/path32.lcs --samples 10 --png path32.png
  longconv data inspect hg38.2bit

Of a genome (FASTA, 2bit) it shows sequences and the composition of their bases; of a BED file its
intervals.

Of a sample shard it shows statistics and samples; images as blocks, or in a PNG file.)");
  auto look = std::make_shared<DataInspectOptions>();
  inspect
      ->add_option("path", look->path,
                   "Corpus folder, .lct or .lcs shard, HDF5 container, genome, .bed")
      ->type_name("PATH")
      ->required();
  inspect->add_option("--samples", look->samples, "Pieces of decoded text, or samples, to show")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  inspect->add_option("--png", look->png, "Write the samples of an image shard to this file")
      ->type_name("FILE");
  inspect->add_flag("--verify", look->verify, "Check every checksum and every id; count all bases");
  add_json(inspect, look->json);
  inspect->callback([look, &action] { action = [look] { return data_inspect(*look); }; });

  CLI::App* convert = command(*app, "convert", "Convert token files and arrays between containers",
                              R"(Examples:
  longconv data convert train.bin train.lct --tokenizer corpora/tokenizer
  longconv data convert corpora/book/train/000.lct book.h5

Reads .lct, .h5, .npy and the .bin files of nanoGPT and llm.c; writes .lct, .h5, .npy.)");
  auto conversion = std::make_shared<DataConvertOptions>();
  convert->add_option("source", conversion->source, "File to read")->type_name("FILE")->required();
  convert->add_option("target", conversion->target, "File to write")->type_name("FILE")->required();
  convert
      ->add_option("--tokenizer", conversion->tokenizer,
                   "Tokenizer that a foreign token file was made with")
      ->type_name("NAME");
  add_json(convert, conversion->json);
  convert->callback(
      [conversion, &action] { action = [conversion] { return data_convert(*conversion); }; });
}

void add_import(CLI::App& program, Action& action) {
  CLI::App* app = command(program, "import", "Turn published weights into a model folder",
                          R"(Examples:
  longconv import hyenadna-tiny-1k-seqlen --out models/tiny
  longconv import weights.ckpt --out models/mine model.filter.shift=0.0
  longconv import finetuned.pt --out models/tuned --allow 'score.*'

Reads Lightning checkpoints, state dicts of torch.save, safetensors (also in shards) and folders of
Hugging Face, without running what is in them: Hyena-GPT and HyenaDNA. Shows what it repaired, read,
dropped and had to assume; overrides settle what a file cannot say.)");
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
  conv->add_option("--preset", options->preset,
                   "paper: 256 to 32,768 steps, 64 x 768, bf16, beside the best of the others")
      ->type_name("NAME")
      ->check(CLI::IsMember({"paper"}))
      ->excludes(lengths)
      ->excludes(batch)
      ->excludes(channels)
      ->excludes(dtype)
      ->excludes(gated);

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
  add_eval(program, action);
  add_generate(program, action);
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
