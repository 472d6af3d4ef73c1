// Letters of nucleic acids: A C G T N, lower case where a repeat is masked, and the IUPAC codes for
// what is not known exactly.
#pragma once

#include <span>

namespace longconv::data {

/// In place: reversed, A and T exchanged, C and G exchanged, in either case. Whatever else stands
/// there stays what it is, IUPAC codes too, as in HyenaDNA (data.md 7.2).
void reverse_complement(std::span<char> bases);

}  // namespace longconv::data
