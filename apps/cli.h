// The command line: which subcommand, with which options.
#pragma once

#include "core/base/error.h"

namespace longconv::apps {

/// Parses the arguments and runs the subcommand they name. Throws longconv::Error; UsageError, with
/// the nearest known word, for arguments it does not know.
ExitCode run(int argc, const char* const* argv);

}  // namespace longconv::apps
