#include "models/weights/source.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/mapped_file.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

namespace longconv::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kIndexEnding = ".safetensors.index.json";
constexpr std::size_t kMaxJsonBytes = std::size_t{64} << 20;

/// Where a pickled object keeps its state dict; the first that is there counts.
struct StateDictPlace {
  const char* layout;
  std::vector<std::string_view> keys;
};
const std::vector<StateDictPlace>& state_dict_places() {
  static const std::vector<StateDictPlace> places = {
      {"Lightning checkpoint", {"state_dict"}},
      {"Composer checkpoint", {"state", "model"}},
      {"training checkpoint", {"model_state_dict"}},
      {"state dict", {}},
  };
  return places;
}

json read_json(const fs::path& path) {
  std::string text;
  try {
    text = files::read_text(path, kMaxJsonBytes);
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  }
  json out = json::parse(text, nullptr, /*allow_exceptions=*/false);
  LONGCONV_CHECK(out.is_object(), CheckpointError, "{}: expected a JSON object", path.string());
  return out;
}

/// One level of nesting is all that published files have.
void flatten(const json& object, const std::string& prefix, bool deeper,
             std::map<std::string, std::string>& out) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && deeper) {
      flatten(value, prefix + key + ".", false, out);
    } else if (value.is_primitive() && !value.is_null()) {
      out[prefix + key] = value.dump(-1, ' ', false, json::error_handler_t::replace);
    }
  }
}

void add_safetensors(Source& source, const fs::path& path) {
  const auto& shard = source.shards.emplace_back(std::make_unique<files::SafetensorsFile>(path));
  for (const auto& [name, view] : shard->tensors()) {
    LONGCONV_CHECK(source.tensors.emplace(name, view).second, CheckpointError,
                   "{}: tensor {} is in another shard as well", path.string(), name);
  }
}

void read_index(Source& source, const fs::path& path) {
  source.layout = "sharded safetensors";
  const json index = read_json(path);
  LONGCONV_CHECK(index.contains("weight_map") && index["weight_map"].is_object(), CheckpointError,
                 "{}: expected an object \"weight_map\" from tensors to files", path.string());
  std::set<std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    const bool plain = shard.is_string() && !shard.get_ref<const std::string&>().empty() &&
                       shard.get_ref<const std::string&>().find('/') == std::string::npos;
    LONGCONV_CHECK(plain, CheckpointError,
                   "{}: tensor {}: expected the name of a file beside the index, got {}",
                   path.string(), name, shard.dump(-1, ' ', false, json::error_handler_t::replace));
    shards.insert(shard.get<std::string>());
  }
  for (const std::string& shard : shards) {
    add_safetensors(source, path.parent_path() / shard);
    source.files.push_back(path.parent_path() / shard);
  }
  for (const auto& [name, shard] : index["weight_map"].items()) {
    LONGCONV_CHECK(source.tensors.count(name) != 0, CheckpointError,
                   "{}: tensor {} should be in {}, but is not", path.string(), name,
                   shard.get<std::string>());
  }
}

void read_torch(Source& source, const fs::path& path) {
  source.torch = std::make_unique<files::TorchFile>(path);
  files::TorchArchive& archive = source.torch->archive();
  const files::Pickle& pickle = archive.pickle();
  std::optional<files::PickleRef> dict;
  for (const StateDictPlace& place : state_dict_places()) {
    dict = pickle.root();
    for (const std::string_view key : place.keys) {
      if (dict) dict = pickle.find(*dict, key);
    }
    if (dict && pickle.at(*dict).kind == files::PickleKind::dict) {
      source.layout = fmt::format("{}, {}", place.layout, archive.layout());
      break;
    }
    dict.reset();
  }
  LONGCONV_CHECK(dict, CheckpointError, "{}: expected a dict of tensors, got {}", path.string(),
                 pickle.describe(pickle.root()));
  const std::vector<std::string> damaged = archive.damaged_storages();
  LONGCONV_CHECK(
      damaged.empty(), CheckpointError,
      "{}: {} storages do not have the checksum of the archive's directory: {}; the file "
      "is damaged",
      path.string(), damaged.size(),
      fmt::join(damaged.begin(), damaged.begin() + std::min<std::ptrdiff_t>(3, std::ssize(damaged)),
                ", "));
  const std::vector<files::PickleRef>& items = pickle.at(*dict).items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const files::PickleNode& key = pickle.at(items[i]);
    if (key.kind != files::PickleKind::text) continue;
    const std::string name(key.text);
    LONGCONV_CHECK(source.tensors.count(name) == 0 && source.unreadable.count(name) == 0,
                   CheckpointError, "{}: tensor {} comes twice", path.string(), name);
    try {
      source.tensors.emplace(name, archive.tensor(items[i + 1], name));
    } catch (const CheckpointError& error) {
      source.unreadable.emplace(name, error.what());
    }
  }
}

bool is_torch(const fs::path& path) {
  try {
    return files::TorchArchive::recognises(files::MappedFile(path).bytes());
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  }
}

void read_file(Source& source, const fs::path& path) {
  source.file = path;
  source.files = {path};
  if (path.string().ends_with(kIndexEnding)) return read_index(source, path);
  if (is_torch(path)) return read_torch(source, path);
  LONGCONV_CHECK(path.extension() == ".safetensors", CheckpointError,
                 "{}: expected weights: a file of torch.save, a .safetensors file or its index, or "
                 "a folder that holds one",
                 path.string());
  source.layout = "safetensors";
  add_safetensors(source, path);
}

/// The files of a folder, and the one that config.md's order takes, if there is one.
struct FolderFiles {
  std::vector<fs::path> all;
  std::size_t checkpoints = 0;
  fs::path chosen;
};
FolderFiles list_folder(const fs::path& folder) {
  FolderFiles out;
  std::vector<fs::path> checkpoints;
  std::error_code error;
  for (fs::directory_iterator item(folder, error); !error && item != fs::directory_iterator();
       item.increment(error)) {
    if (item->is_directory()) continue;
    out.all.push_back(item->path());
    if (item->path().extension() == ".ckpt") checkpoints.push_back(item->path());
  }
  LONGCONV_CHECK(!error, CheckpointError, "{}: cannot be read: {}", folder.string(),
                 error.message());
  out.checkpoints = checkpoints.size();
  std::sort(out.all.begin(), out.all.end());
  for (const char* name : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                           "pytorch_model.pt", "weights.ckpt"}) {
    if (out.chosen.empty() && fs::exists(folder / name)) out.chosen = folder / name;
  }
  if (out.chosen.empty() && checkpoints.size() == 1) out.chosen = checkpoints[0];
  return out;
}

void read_folder(Source& source, const fs::path& folder) {
  const FolderFiles found = list_folder(folder);
  LONGCONV_CHECK(
      !found.chosen.empty(), CheckpointError,
      "{}: expected model.safetensors, its index, pytorch_model.bin or .pt, weights.ckpt "
      "or one other .ckpt file, {}",
      folder.string(),
      found.checkpoints == 0
          ? std::string("found none")
          : fmt::format("found {} .ckpt files; name one of them", found.checkpoints));
  if (fs::exists(folder / "config.json")) {
    source.config_file = folder / "config.json";
    flatten(read_json(source.config_file), "", true, source.config);
  }
  read_file(source, found.chosen);
  std::set<std::string> used = {"config.json"};
  for (const fs::path& file : source.files) used.insert(file.filename().string());
  for (const fs::path& path : found.all) {
    const std::string name = path.filename().string();
    if (used.count(name) == 0) source.ignored.push_back(name);
  }
}

}  // namespace

bool is_weights_file(const fs::path& file) {
  return file.string().ends_with(kIndexEnding) || is_torch(file);
}

bool holds_weights(const fs::path& folder) { return !list_folder(folder).chosen.empty(); }

Source open_source(const fs::path& path) {
  LONGCONV_CHECK(fs::exists(path), CheckpointError, "{}: no such file or folder", path.string());
  Source source;
  if (fs::is_directory(path)) {
    read_folder(source, path);
  } else {
    read_file(source, path);
  }
  LONGCONV_CHECK(!source.tensors.empty(), CheckpointError,
                 "{}: holds no tensor that could be read{}", source.file.string(),
                 source.unreadable.empty() ? "" : "\n  " + source.unreadable.begin()->second);
  return source;
}

}  // namespace longconv::models
