// Real text, if the machine has it: the Jargon File (public domain) from Debian's jargon-text.
#pragma once

#include <zlib.h>

#include <string>

namespace longconv::test {

inline constexpr char kJargonPath[] = "/usr/share/doc/jargon-text/jargon.txt.gz";

/// 1,681,817 bytes of UTF-8, or "" where the package is not installed.
inline std::string jargon_file() {
  std::string text;
  gzFile file = gzopen(kJargonPath, "rb");
  if (file == nullptr) return text;
  char chunk[1 << 16];
  for (int got = gzread(file, chunk, sizeof chunk); got > 0;
       got = gzread(file, chunk, sizeof chunk)) {
    text.append(chunk, static_cast<std::size_t>(got));
  }
  gzclose(file);
  return text;
}

}  // namespace longconv::test
