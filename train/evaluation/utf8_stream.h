// Bytes in, whole UTF-8 characters out: tokens may end in the middle of a character.
#pragma once

#include <string>
#include <string_view>

namespace longconv::train {

class Utf8Stream {
 public:
  /// Takes bytes; returns what is now whole. A byte that can belong to no character becomes U+FFFD;
  /// an unfinished character (at most 3 bytes) waits for the rest.
  std::string push(std::string_view bytes);
  /// What still waited, each byte as U+FFFD.
  std::string finish();

 private:
  std::string waiting_;
};

}  // namespace longconv::train
