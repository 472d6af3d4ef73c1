#include "data/formats/bases.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace longconv::data {

namespace {

constexpr std::array<char, 256> complements() {
  std::array<char, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<char>(i);
  constexpr std::string_view kFrom = "ATCGatcg";
  constexpr std::string_view kTo = "TAGCtagc";
  for (std::size_t i = 0; i < kFrom.size(); ++i) {
    table[static_cast<unsigned char>(kFrom[i])] = kTo[i];
  }
  return table;
}

constexpr std::array<char, 256> kComplement = complements();

}  // namespace

void reverse_complement(std::span<char> bases) {
  std::reverse(bases.begin(), bases.end());
  for (char& base : bases) base = kComplement[static_cast<unsigned char>(base)];
}

}  // namespace longconv::data
