// Any bytes either are a pickle whose values refer to each other inside it, or a CheckpointError;
// and its values take no more memory than they may.
#include "core/base/error.h"
#include "core/files/pickle.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint64_t kBudget = 1 << 20;
  try {
    const longconv::files::Pickle pickle(std::as_bytes(std::span(data, size)), "input", 0, kBudget);
    promise(pickle.root() < pickle.count(), "the root is a value");
    promise(pickle.size() <= size, "it ends inside the file");
    std::uint64_t bytes = pickle.count() * sizeof(longconv::files::PickleNode);
    for (longconv::files::PickleRef ref = 0; ref < pickle.count(); ++ref) {
      const longconv::files::PickleNode& node = pickle.at(ref);
      for (const auto item : node.items) promise(item < pickle.count(), "an item is a value");
      longconv::fuzz::touch(std::as_bytes(std::span(node.text)));
      longconv::fuzz::touch(std::as_bytes(std::span(node.name)));
      bytes += node.items.capacity() * sizeof(node.items[0]);
    }
    promise(bytes <= kBudget, "the values stay within the budget");
    static_cast<void>(pickle.find(pickle.root(), "a"));
    static_cast<void>(pickle.describe(pickle.root()));
  } catch (const longconv::CheckpointError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
