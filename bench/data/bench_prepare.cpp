// `longconv data prepare text` beside the slower of its two unavoidable parts, in one run:
//
//   bench_prepare TOKENIZER FILE.jsonl.zst FOLDER [ROUNDS [THREADS]]
//
// Each round times `zstd -dc FILE` to nowhere, the tokenizer on all documents in memory, a document
// a call, and the file to shards in FOLDER; one JSON object a round and one of the best times on
// stdout. "s" are seconds of the clock on the wall, for which nothing else should run; "cpu_s" are
// those of all threads, which others on the machine disturb less.
#include "data/formats/documents.h"
#include "data/tasks/prepare.h"
#include "data/tokenizers/tokenizer.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using longconv::data::Tokenizer;

struct Time {
  double wall = 1e9;
  double cpu = 1e9;
};

/// CPU seconds of this process and of those it has waited for.
double cpu_seconds() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime}) {
      sum += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    }
  }
  return sum;
}

Time timed(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  const double before = cpu_seconds();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          cpu_seconds() - before};
}

Time best_of(const Time& a, const Time& b) {
  return {std::min(a.wall, b.wall), std::min(a.cpu, b.cpu)};
}

std::size_t encode_all(const Tokenizer& tokenizer, const std::vector<std::string>& documents,
                       int threads) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> tokens{0};
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; ++i) {
    pool.emplace_back([&] {
      for (std::size_t at = next++; at < documents.size(); at = next++) {
        tokens += tokenizer.encode(documents[at]).size();
      }
    });
  }
  for (std::thread& thread : pool) thread.join();
  return tokens;
}

struct Round {
  Time zstd;
  Time encode;
  Time prepare;
  void print(const char* what) const {
    const auto line = [](double decompress, double tokenize, double all) {
      return fmt::format(
          "{{\"zstd\": {:.3f}, \"tokenize\": {:.3f}, \"prepare\": {:.3f}, "
          "\"ratio\": {:.3f}}}",
          decompress, tokenize, all, all / std::max(decompress, tokenize));
    };
    fmt::print("{{\"{}\": {{\"s\": {}, \"cpu_s\": {}}}}}\n", what,
               line(zstd.wall, encode.wall, prepare.wall), line(zstd.cpu, encode.cpu, prepare.cpu));
  }
};

void run(const std::string& name, const std::string& file, const fs::path& folder, int rounds,
         int threads) {
  const auto tokenizer = longconv::data::open_tokenizer(name);
  std::vector<std::string> documents;
  std::size_t bytes = 0;
  longconv::data::DocumentReader reader(file, *longconv::data::document_format(file));
  for (std::string text; reader.next(text); bytes += text.size()) documents.push_back(text);
  fmt::print("{{\"tokenizer\": \"{}\", \"documents\": {}, \"text_bytes\": {}, \"threads\": {}}}\n",
             tokenizer->describe(), documents.size(), bytes, threads);
  Round best;
  for (int round = 0; round < rounds; ++round) {
    Round now;
    now.zstd = timed([&] {
      const std::string command = fmt::format("zstd -dcq '{}' >/dev/null", file);
      if (std::system(command.c_str()) != 0) throw std::runtime_error("zstd -dc fails");
    });
    std::size_t tokens = 0;
    now.encode = timed([&] { tokens = encode_all(*tokenizer, documents, threads); });
    longconv::data::PrepareOptions options;
    options.sources = {file};
    options.tokenizer = name;
    options.out = folder / "bench_prepare";
    options.threads = threads;
    fs::remove_all(options.out);
    longconv::data::PrepareResult result;
    now.prepare = timed([&] { result = longconv::data::prepare_corpus(options); });
    fs::remove_all(options.out);
    if (result.manifest.train.tokens != static_cast<std::int64_t>(tokens + documents.size())) {
      throw std::runtime_error("the shards do not hold the tokens");
    }
    now.print("round");
    best = {best_of(best.zstd, now.zstd), best_of(best.encode, now.encode),
            best_of(best.prepare, now.prepare)};
  }
  best.print("best");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 6) {
    fmt::print(stderr, "use: bench_prepare TOKENIZER FILE.jsonl.zst FOLDER [ROUNDS [THREADS]]\n");
    return 2;
  }
  try {
    const int rounds = argc > 4 ? std::atoi(argv[4]) : 5;
    const int threads = argc > 5
                            ? std::atoi(argv[5])
                            : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    run(argv[1], argv[2], argv[3], rounds, threads);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
