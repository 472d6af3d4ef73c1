// Checks of arguments at the edge that knows the most. LONGCONV_CHECK formats only on failure.
#pragma once

#include "core/base/error.h"

#include <fmt/format.h>

/// LONGCONV_CHECK(condition, ErrorType, "format", args...): throws ErrorType unless condition
/// holds.
#define LONGCONV_CHECK(condition, ErrorType, ...)  \
  do {                                             \
    if (!(condition)) {                            \
      throw ErrorType(::fmt::format(__VA_ARGS__)); \
    }                                              \
  } while (false)
