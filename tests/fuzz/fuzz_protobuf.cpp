// Fields found in any bytes lie inside them: the walk over SentencePiece's *.model.
#include "data/tokenizers/protobuf.h"
#include "tests/fuzz/fuzz_target.h"

using longconv::fuzz::promise;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  for (std::uint64_t number = 1; number < 6; ++number) {
    const auto field = longconv::data::find_field(message, number);
    if (!field || field->bytes.empty()) continue;
    promise(field->bytes.data() >= message.data() &&
                field->bytes.data() + field->bytes.size() <= message.data() + message.size(),
            "a field lies inside its message");
    longconv::fuzz::touch(std::as_bytes(std::span(field->bytes)));
    (void)longconv::data::find_field(field->bytes, number);
  }
  return 0;
}
