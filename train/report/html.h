// The one-file HTML report of one or several runs: curves as inline SVG, tables, config, samples.
//
// The page needs nothing beside itself (no script, font, image or style sheet from elsewhere; its
// own content security policy forbids them), is well-formed XML, and follows the reader's light or
// dark theme. Everything that comes from a run is escaped.
#pragma once

#include <filesystem>
#include <vector>

namespace longconv::train {

/// Reads each run folder (metrics.jsonl, config.toml, environment.json, results/*.json, samples/*)
/// and writes `out` atomically. What a run lacks is left out. Throws DataError if a folder is no
/// run or `runs` is empty, EnvironmentError if `out` cannot be written.
void write_html_report(const std::vector<std::filesystem::path>& runs,
                       const std::filesystem::path& out);

}  // namespace longconv::train
