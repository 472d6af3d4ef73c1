// longconv data: the options, help and call of each of its subcommands.
#include "apps/cli_parts.h"
#include "apps/commands.h"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace longconv::apps {
namespace {

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
  app->add_option("--threads", text.threads,
                  "Threads that encode, beside one that reads and one that writes; 0 = one a core")
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
  app->add_option("task", options->task,
                  "What to make: pathfinder, listops, recall, induction, brain")
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

}  // namespace

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

}  // namespace longconv::apps
