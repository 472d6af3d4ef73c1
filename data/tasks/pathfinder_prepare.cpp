// A published Pathfinder folder to a sample shard.
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/mapped_file.h"
#include "data/formats/pathfinder_files.h"
#include "data/formats/png.h"
#include "data/tasks/labelled.h"
#include "data/tasks/ordered_work.h"
#include "data/tasks/sample_facts.h"

#include <array>
#include <optional>
#include <utility>

namespace longconv::data {

namespace {

/// An image and its label, or why there is none.
struct Read {
  Picture picture;
  int label = 0;
  std::string problem;
};

Read read(const std::filesystem::path& folder, const PathfinderEntry& entry) {
  Read out;
  out.label = entry.label;
  const std::filesystem::path path = folder / entry.file;
  const files::MappedFile file(path);  // a missing file is an error, a damaged one is skipped
  try {
    out.picture = decode_png(file.bytes(), path.string());
  } catch (const DataError& error) {
    out.problem = error.what();
  }
  return out;
}

}  // namespace

Written prepare_pathfinder(const PathfinderFilesConfig& config, const std::filesystem::path& folder,
                           const std::filesystem::path& out, std::int64_t threads) {
  const std::vector<PathfinderEntry> entries = list_pathfinder_files(folder);
  const auto count = static_cast<std::int64_t>(entries.size());
  SampleFacts facts;
  facts.task = "pathfinder";
  facts.columns = {"label", "number"};
  facts.classes = {"different contours", "same contour"};
  facts.made_json = sources_json({folder});
  std::optional<SampleShardWriter> writer;
  SampleLayout layout;
  layout.vocabulary = 256;
  layout.classes = 2;
  layout.channels = 1;
  layout.columns = 2;
  Written done;
  std::int32_t number = 0;
  in_order(
      count, threads, 64,
      [&](std::int64_t i) { return read(folder, entries[static_cast<std::size_t>(i)]); },
      [&](const Read& image) {
        const std::string& file = entries[static_cast<std::size_t>(number)].file;
        const std::array<std::int32_t, 2> row = {image.label, number++};
        if (!image.problem.empty()) {
          if (done.skipped++ == 0) log::warn("left out: {}", image.problem);
          LONGCONV_CHECK(static_cast<double>(done.skipped) <=
                             1 + config.bad_share() * static_cast<double>(count),
                         DataError, "{} of {} images cannot be read, the last: {}", done.skipped,
                         number, image.problem);
          return;
        }
        const Picture& picture = image.picture;
        if (!writer) {
          layout.height = picture.height;
          layout.width = picture.width;
          writer.emplace(out, layout);
        }
        LONGCONV_CHECK(picture.height == layout.height && picture.width == layout.width, DataError,
                       "{}: {} x {} pixels, the images before have {} x {}",
                       (folder / file).string(), picture.height, picture.width, layout.height,
                       layout.width);
        writer->add_part(std::span(picture.pixels));
        writer->add_row(row);
        ++done.samples;
      });
  LONGCONV_CHECK(writer.has_value(), DataError, "{}: no image that can be read", folder.string());
  writer->finish(to_json(facts));
  if (done.skipped > 0) log::warn("{} of {} images were left out", done.skipped, count);
  return done;
}

}  // namespace longconv::data
