// The one-file HTML report of one or several runs: curves as inline SVG, tables, config, samples.
#pragma once

#include <filesystem>
#include <vector>

namespace longconv::train {

/// Reads each run folder (metrics.jsonl, config.toml, environment.json, results/*.json, samples/*)
/// and writes `out` atomically. What a run lacks is left out. Throws DataError if a folder is no run.
void write_html_report(const std::vector<std::filesystem::path>& runs,
                       const std::filesystem::path& out);

}  // namespace longconv::train
