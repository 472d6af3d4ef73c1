// CIFAR-10, MNIST and Fashion-MNIST folders to sample shards.
#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "data/formats/cifar_file.h"
#include "data/formats/idx_file.h"
#include "data/formats/png.h"
#include "data/tasks/labelled.h"
#include "data/tasks/sample_facts.h"

#include <array>
#include <optional>
#include <utility>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

void add(SampleShardWriter& writer, std::span<const std::uint8_t> pixels, int label,
         Written& done) {
  writer.add_part(pixels);
  writer.add_row(std::array<std::int32_t, 1>{label});
  ++done.samples;
}

/// "train-images-idx3-ubyte" in `folder`, as it is or with .gz.
fs::path idx_path(const fs::path& folder, const std::string& name) {
  fs::path path = folder / name;
  std::error_code error;
  if (fs::exists(path, error)) return path;
  path += ".gz";
  LONGCONV_CHECK(fs::exists(path, error), DataError, "{}: has neither {} nor {}.gz",
                 folder.string(), name, name);
  return path;
}

}  // namespace

Written prepare_cifar(const CifarConfig& config, const fs::path& folder, const fs::path& out,
                      std::int64_t /*threads*/) {
  const bool colour = config.colour();
  SampleFacts facts;
  facts.task = "cifar10";
  facts.classes = {"airplane", "automobile", "bird",  "cat",  "deer",
                   "dog",      "frog",       "horse", "ship", "truck"};
  // Published constants of these sets; the grey ones are of the luma.
  if (colour) {
    facts.mean = {0.4914, 0.4822, 0.4465};
    facts.deviation = {0.247, 0.243, 0.261};
  } else {
    facts.mean = {122.6 / 255};
    facts.deviation = {61.0 / 255};
  }
  SampleLayout layout;
  layout.vocabulary = 256;
  layout.classes = 10;
  layout.height = layout.width = kCifarSide;
  layout.channels = colour ? 3 : 1;
  SampleShardWriter writer(out, layout);
  Written done;
  std::vector<fs::path> sources;
  for (const char* name : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}) {
    sources.push_back(folder / name);
    const files::MappedFile file(sources.back());
    const CifarBatch batch = parse_cifar(file.bytes(), sources.back().string());
    const bool test = sources.size() == 6;
    if (test) facts.splits.push_back({"train", 0, done.samples});
    for (std::int64_t record = 0; record < batch.records; ++record) {
      std::vector<std::uint8_t> pixels = batch.colours(record);
      if (!colour) {
        for (std::size_t i = 0; i < pixels.size() / 3; ++i) {
          pixels[i] = grey_of(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
        }
        pixels.resize(pixels.size() / 3);
      }
      add(writer, pixels, batch.label(record), done);
    }
  }
  facts.splits.push_back({"test", facts.splits.front().end, done.samples});
  facts.made_json = sources_json(sources);
  writer.finish(to_json(facts));
  return done;
}

Written prepare_mnist(const MnistConfig& config, const fs::path& folder, const fs::path& out,
                      std::int64_t /*threads*/) {
  SampleFacts facts;
  facts.task = config.fashion() ? "fashion_mnist" : "mnist";
  if (config.fashion()) {
    facts.classes = {"T-shirt", "trouser", "pullover", "dress", "coat",
                     "sandal",  "shirt",   "sneaker",  "bag",   "ankle boot"};
  }
  SampleLayout layout;
  layout.vocabulary = 256;
  layout.classes = 10;
  layout.channels = 1;
  std::optional<SampleShardWriter> writer;
  Written done;
  std::vector<fs::path> sources;
  for (const auto& [split, prefix] : {std::pair("train", "train"), std::pair("test", "t10k")}) {
    const fs::path images_path = idx_path(folder, fmt::format("{}-images-idx3-ubyte", prefix));
    const fs::path labels_path = idx_path(folder, fmt::format("{}-labels-idx1-ubyte", prefix));
    const std::vector<std::byte> image_bytes = read_maybe_gzip(images_path);
    const std::vector<std::byte> label_bytes = read_maybe_gzip(labels_path);
    const IdxArray images = parse_idx(image_bytes, images_path.string());
    const IdxArray labels = parse_idx(label_bytes, labels_path.string());
    LONGCONV_CHECK(images.shape.size() == 3 && images.shape[0] > 0 && images.shape[1] > 0 &&
                       images.shape[2] > 0 && images.shape[1] <= 4096 && images.shape[2] <= 4096,
                   DataError, "{}: expected images (N, height, width) at byte 4",
                   images_path.string());
    LONGCONV_CHECK(labels.shape.size() == 1 && labels.shape[0] == images.shape[0], DataError,
                   "{}: its labels do not belong to {}: {} images", labels_path.string(),
                   images_path.string(), images.shape[0]);
    if (!writer) {
      layout.height = static_cast<int>(images.shape[1]);
      layout.width = static_cast<int>(images.shape[2]);
      writer.emplace(out, layout);
    }
    LONGCONV_CHECK(images.shape[1] == layout.height && images.shape[2] == layout.width, DataError,
                   "{}: images of {} x {}, train has {} x {}", images_path.string(),
                   images.shape[1], images.shape[2], layout.height, layout.width);
    const auto each = static_cast<std::size_t>(images.shape[1] * images.shape[2]);
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(images.data.data());
    const std::int64_t first = done.samples;
    for (std::size_t i = 0; i < labels.data.size(); ++i) {
      const int label = std::to_integer<int>(labels.data[i]);
      LONGCONV_CHECK(label <= 9, DataError, "{}: label {} at byte {}, expected 0 to 9",
                     labels_path.string(), label, 8 + i);
      add(*writer, {pixels + i * each, each}, label, done);
    }
    facts.splits.push_back({split, first, done.samples});
    sources.push_back(images_path);
    sources.push_back(labels_path);
  }
  facts.made_json = sources_json(sources);
  writer->finish(to_json(facts));
  return done;
}

}  // namespace longconv::data
