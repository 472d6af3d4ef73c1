// Any bytes either are a file of torch.save, zip or legacy, of which every tensor either has as
// many bytes as its shape wants or is refused by name, or a CheckpointError.
#include "core/base/error.h"
#include "core/files/torch_file.h"
#include "tests/fuzz/fuzz_target.h"

#include <cstring>

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using longconv::files::PickleRef;
  try {
    longconv::files::TorchArchive archive(std::as_bytes(std::span(data, size)), "input");
    for (PickleRef ref = 0; ref < archive.pickle().count(); ++ref) {
      try {
        const longconv::files::TensorView view = archive.tensor(ref, "t");
        const auto count = longconv::files::element_count(view.shape);
        promise(archive.is_tensor(ref), "what was read is a tensor");
        promise(count.has_value(), "a shape that was accepted can be counted");
        promise(
            static_cast<std::size_t>(*count) * longconv::size_of(view.dtype) == view.data.size(),
            "shape, dtype and bytes agree");
        longconv::fuzz::touch(view.data);
      } catch (const longconv::CheckpointError& error) {
        promise(std::strncmp(error.what(), "input: tensor t: ", 17) == 0, "it names the tensor");
      }
    }
    static_cast<void>(archive.damaged_storages());
  } catch (const longconv::CheckpointError& error) {
    promise(std::strncmp(error.what(), "input: ", 7) == 0, "an error names the file");
  }
  return 0;
}
