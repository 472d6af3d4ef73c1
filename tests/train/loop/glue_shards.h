// The nine GLUE tasks as files of a few words each, whose first word tells the label: written as
// the published TSV files and read by the program's own reader. No LibTorch here.
#pragma once

#include "core/files/atomic_file.h"
#include "data/tasks/glue.h"

#include <fmt/format.h>

#include <filesystem>
#include <random>
#include <string>

namespace longconv::train::testing {

/// The published name of a column that has two.
inline std::string column(std::string_view names) {
  return std::string(names.substr(0, names.find('|')));
}

/// A line of `part`: the number of the label stands as word w<label> at the first text's start.
inline std::string glue_line(const data::GlueTask& task, std::string_view part, int number,
                             std::mt19937& random) {
  const bool scores = task.labels.empty();
  const auto label = static_cast<std::size_t>(number) % (scores ? 6 : task.labels.size());
  std::string first = fmt::format("w{}", label);
  std::string second;
  for (auto more = 1 + random() % 5; more > 0; --more) {
    first += fmt::format(" w{}", 10 + random() % 20);
    second += fmt::format("{}w{}", second.empty() ? "" : " ", 10 + random() % 20);
  }
  const bool test = part.starts_with("test");
  const std::string word = scores ? fmt::format("{}.5", std::min<std::size_t>(label, 4))
                                  : std::string(task.labels[label]);
  if (task.headerless && !test) return fmt::format("source\t{}\t\t{}\n", word, first);
  std::string line = fmt::format("{}\t{}", 100 + number, first);
  if (!task.second.empty()) line += fmt::format("\t{}", second);
  return test ? fmt::format("{}\n", line) : fmt::format("{}\t{}\n", line, word);
}

/// Writes the task's folder below `folder`; `samples` lines of train, 12 of every other part.
inline void write_glue_files(const data::GlueTask& task, const std::filesystem::path& folder,
                             int samples) {
  std::mt19937 random(7);
  files::create_folders(folder / task.folder);
  for (const data::GluePart& part : task.parts) {
    const bool test = part.part.starts_with("test");
    std::string text;
    if (!task.headerless || test) {
      text = fmt::format("{}\t{}", column(task.id), column(task.first));
      if (!task.second.empty()) text += fmt::format("\t{}", column(task.second));
      text += test ? "\n" : fmt::format("\t{}\n", column(task.label));
    }
    const int lines = part.part == "train" ? samples : 12;
    for (int i = 0; i < lines; ++i) text += glue_line(task, part.part, i, random);
    files::write_atomic(folder / task.folder / part.file, std::string_view(text));
  }
}

/// The shard of a task, by a vocabulary with the words w0 to w39.
inline std::filesystem::path glue_shard(const std::string& name,
                                        const std::filesystem::path& folder,
                                        const std::filesystem::path& vocabulary, int samples = 48) {
  write_glue_files(data::glue_task(name), folder, samples);
  data::GlueFilesConfig config;
  config.task.set(name);
  config.tokenizer.set(vocabulary.string());
  const std::filesystem::path out = folder / (name + ".lcs");
  data::prepare_glue(config, folder, out, /*threads=*/1);
  return out;
}

}  // namespace longconv::train::testing
