// longconv bench: which measurement.
#include "apps/bench_model.h"
#include "apps/commands.h"

namespace longconv::apps {

ExitCode bench(const BenchOptions& options) { return bench_model(options); }

}  // namespace longconv::apps
