// What every target of this folder defines, and how a target says that a promise is broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

/// libFuzzer's entry point: one input; a crash, a sanitizer's report or an exception is a finding.
extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size);

namespace longconv::fuzz {

/// Reading one byte of each end is enough for AddressSanitizer to see a span that lies outside.
inline void touch(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const volatile std::byte first = bytes.front();
  const volatile std::byte last = bytes.back();
  static_cast<void>(first);
  static_cast<void>(last);
}

/// Ends the process, which libFuzzer counts as a finding, unless `holds`.
inline void promise(bool holds, const char* words) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", words);
  std::abort();
}

}  // namespace longconv::fuzz
