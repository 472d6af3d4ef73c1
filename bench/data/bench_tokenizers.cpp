// Times a tokenizer on one text, on one core: one JSON object on stdout.
//
//   bench_tokenizers TOKENIZER FILE     encodes the file once; {"seconds", "tokens", "bytes",
//   "mb_per_s"} bench_tokenizers TOKENIZER --words  words of one letter after another, twice as
//   long each time
#include "core/files/atomic_file.h"
#include "data/tokenizers/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <random>
#include <string>

namespace {

using longconv::data::Tokenizer;

struct Timing {
  double seconds = 0;
  std::size_t tokens = 0;
};

/// CPU seconds, which others on the machine disturb less than the clock on the wall. The first
/// encoding of a process has an empty cache: what a file costs.
Timing encode(const Tokenizer& tokenizer, const std::string& text) {
  const std::clock_t begin = std::clock();
  const auto ids = tokenizer.encode(text);
  return {static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, ids.size()};
}

/// One word of so many random letters; `letters` from a small alphabet merge more.
std::string word(std::size_t length, std::string_view letters) {
  std::mt19937 random(1);
  std::string text(length, 'a');
  for (char& c : text) c = letters[random() % letters.size()];
  return text;
}

void time_words(const Tokenizer& tokenizer) {
  for (const std::string_view letters : {"a", "ACGT", "abcdefghijklmnopqrstuvwxyz"}) {
    for (std::size_t length = 1025; length <= 1'048'577; length = 4 * (length - 1) + 1) {
      const std::string text = word(length, letters);
      Timing best{1e9, 0};
      for (int i = 0; i < 5; ++i) {
        const Timing timing = encode(tokenizer, text);
        if (timing.seconds < best.seconds) best = timing;
      }
      fmt::print(
          "{{\"alphabet\": {}, \"letters\": {}, \"seconds\": {:.6f}, \"ns_per_letter\": {:.1f}, "
          "\"tokens\": {}}}\n",
          letters.size(), length, best.seconds, 1e9 * best.seconds / static_cast<double>(length),
          best.tokens);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "use: bench_tokenizers TOKENIZER FILE|--words\n");
    return 2;
  }
  try {
    const auto tokenizer = longconv::data::open_tokenizer(argv[1]);
    if (std::string(argv[2]) == "--words") {
      time_words(*tokenizer);
      return 0;
    }
    const std::string text = longconv::files::read_text(argv[2]);
    const Timing timing = encode(*tokenizer, text);
    fmt::print(
        "{{\"tokenizer\": \"{}\", \"seconds\": {:.6f}, \"tokens\": {}, \"bytes\": {}, "
        "\"mb_per_s\": {:.1f}}}\n",
        tokenizer->describe(), timing.seconds, timing.tokens, text.size(),
        static_cast<double>(text.size()) / timing.seconds / 1e6);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
