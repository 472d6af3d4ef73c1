// Lengths into rows of a fixed capacity, as full as best-fit-decreasing makes them (Ding et al.,
// "Fewer Truncations Improve Language Modeling", arXiv:2404.10830).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace longconv::data {

/// rows[r] lists the items of row r, longest first; every item is in exactly one row, and the
/// lengths of a row add up to at most `capacity`. Items of equal length are taken in the order
/// given. Takes time and memory linear in the number of items (times log of `capacity`). Throws
/// DataError for a length outside [1, capacity].
std::vector<std::vector<std::int64_t>> best_fit_rows(std::span<const std::int64_t> lengths,
                                                     std::int64_t capacity);

}  // namespace longconv::data
