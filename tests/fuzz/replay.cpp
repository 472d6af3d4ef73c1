// Runs a fuzz target without libFuzzer: every seed of a folder, then mutations of them that are the
// same on every machine. So the suite notices, with any compiler, when a target no longer builds,
// when a seed finds its bug again, or when a format lost a check. Use: replay_NAME CORPUS_FOLDER
#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kMutations = 2000;
constexpr std::size_t kMaxBytes = 1 << 16;

/// xorshift64*: the standard library's distributions differ between implementations.
class Random {
 public:
  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1DULL;
  }
  /// In [0, bound); 0 for bound 0.
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : next() % bound; }

 private:
  std::uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

auto at(Bytes& bytes, std::size_t index) {
  return bytes.begin() + static_cast<std::ptrdiff_t>(index);
}

/// Numbers that sizes and offsets break at, written over the bytes as a little-endian integer.
void write_number(Bytes& bytes, Random& random) {
  constexpr std::array<std::uint64_t, 9> kNumbers = {
      0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF};
  const std::uint64_t number = kNumbers[random.below(kNumbers.size())];
  const std::size_t width = std::size_t{1} << random.below(4);
  if (bytes.size() < width) return;
  // Half of the time near the begin, where headers are.
  const std::size_t reach = bytes.size() - width + 1;
  const std::size_t where =
      random.below(random.below(2) == 0 ? std::min<std::size_t>(reach, 64) : reach);
  std::memcpy(bytes.data() + where, &number, width);
}

void mutate(Bytes& bytes, const std::vector<Bytes>& seeds, Random& random) {
  const std::size_t where = random.below(bytes.size() + 1);
  const std::size_t count = random.below(std::min<std::size_t>(bytes.size() - where, 32) + 1);
  switch (random.below(7)) {
    case 0:  // one bit
      if (!bytes.empty()) bytes[random.below(bytes.size())] ^= std::uint8_t(1U << random.below(8));
      break;
    case 1:  // one byte, printable
      bytes.insert(at(bytes, where), std::uint8_t(' ' + random.below(95)));
      break;
    case 2:
      bytes.erase(at(bytes, where), at(bytes, where + count));
      break;
    case 3:
      bytes.resize(where);
      break;   // truncated
    case 4: {  // a part twice
      const Bytes part(at(bytes, where), at(bytes, where + count));
      bytes.insert(at(bytes, where), part.begin(), part.end());
      break;
    }
    case 5:
      write_number(bytes, random);
      break;
    default: {  // the tail of another seed
      Bytes other = seeds[random.below(seeds.size())];
      bytes.resize(where);
      bytes.insert(bytes.end(), at(other, random.below(other.size() + 1)), other.end());
      break;
    }
  }
  bytes.resize(std::min(bytes.size(), kMaxBytes));
}

std::vector<Bytes> read_seeds(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());  // the folder's own order differs between machines
  std::vector<Bytes> seeds;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "use: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  const std::vector<Bytes> seeds = read_seeds(argv[1]);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: expected seeds, found none\n", argv[1]);
    return 1;
  }
  // A copy of exact size on the heap, so that AddressSanitizer sees one byte too far.
  const auto run = [](const Bytes& input) {
    const Bytes exact(input.begin(), input.end());
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
  };
  run({});
  for (const Bytes& seed : seeds) run(seed);
  Random random;
  for (int i = 0; i < kMutations; ++i) {
    Bytes input = seeds[static_cast<std::size_t>(i) % seeds.size()];
    for (std::size_t step = random.below(4) + 1; step > 0; --step) mutate(input, seeds, random);
    run(input);
  }
  std::printf("%zu seeds, %d mutations\n", seeds.size(), kMutations);
  return 0;
}
