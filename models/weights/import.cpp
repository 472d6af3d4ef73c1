#include "models/weights/import.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "models/weights/extend.h"
#include "models/weights/h3_conv_facts.h"
#include "models/weights/hyena_facts.h"
#include "models/weights/long_conv_facts.h"
#include "models/weights/m2_bert_facts.h"
#include "models/weights/source.h"
#include "models/weights/widen.h"

#include <c10/core/TensorOptions.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <deque>
#include <future>
#include <string_view>
#include <utility>

namespace longconv::models {
namespace {

namespace fs = std::filesystem;

/// A family's part: repaired names in, configuration out. A further family is a further row.
struct Importer {
  const char* family;
  RepairReport (*repair)(NamedTensors&, const std::string& where);
  bool (*recognises)(const NamedTensors&);
  ModelFacts (*facts)(const FactSources& from);
  /// Takes the tensors to the configuration's length; nullptr: the family cannot.
  std::vector<std::string> (*extend)(NamedTensors&, const ModelConfig&) = nullptr;
};
constexpr Importer kImporters[] = {
    {"hyena", &repair_hyena_names, &is_hyena, &hyena_facts},
    {"h3_conv", &repair_hyena_names, &is_h3_conv, &h3_conv_facts},
    {"m2_bert", &repair_m2_bert_names, &is_m2_bert, &m2_bert_facts, &extend_m2_bert},
    {"long_conv", &repair_long_conv_names, &is_long_conv, &long_conv_facts},
};

bool is_allowed(const std::vector<std::string>& allow, const std::string& name) {
  return std::any_of(allow.begin(), allow.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

std::string describe(const files::TensorView& view) {
  return fmt::format("{} {}", files::shape_words(view.shape), name(view.dtype));
}

/// What goes into the file, and what it points into.
struct Chosen {
  std::map<std::string, files::TensorView> tensors;
  std::deque<std::vector<std::byte>> made;
  std::map<std::string, at::Tensor> initialised;
};

/// The model's tensors among the source's; what does not fit is an error unless allowed.
Chosen choose(NamedTensors& named, const ModelConfig& config, const torch::nn::Module& shapes,
              const ImportOptions& options, ImportReport& report, const std::string& where) {
  Chosen out;
  std::vector<std::string> missing;
  std::size_t wanted = 0;
  for (const auto& [name, tensor] : state_dict(shapes)) {
    ++wanted;
    const auto found = named.tensors.find(name);
    const bool allowed = is_allowed(options.allow, name);
    if (found == named.tensors.end()) {
      const auto why = named.unreadable.find(name);
      if (why != named.unreadable.end() && !allowed) throw CheckpointError(why->second);
      if (!allowed) missing.push_back(name);
      out.initialised.emplace(name, at::Tensor());
      continue;
    }
    files::TensorView view = found->second;
    view.name = name;
    named.tensors.erase(found);
    // BatchNorm counts its batches.
    const bool counter = tensor.scalar_type() == at::kLong;
    const bool fits = counter ? view.dtype == Dtype::i64 : is_float(view.dtype);
    if (tensor.sizes() != at::IntArrayRef(view.shape) || !fits) {
      LONGCONV_CHECK(allowed, CheckpointError, "{}: tensor {}: expected {} {}, the source has {}",
                     where, name, files::shape_words(tensor.sizes().vec()),
                     counter ? "int64" : "float32", describe(view));
      report.dropped.push_back(fmt::format("{} ({}, allowed)", name, describe(view)));
      out.initialised.emplace(name, at::Tensor());
      continue;
    }
    if (counter) {
      out.tensors.emplace(name, view);
      continue;
    }
    if (view.dtype != Dtype::f32) {
      report.converted.push_back(fmt::format("{} from {}", name, longconv::name(view.dtype)));
      view.data = out.made.emplace_back(to_float32(view));
      view.dtype = Dtype::f32;
    }
    const std::int64_t bad = count_not_finite(view.data);
    if (bad > 0) report.not_finite.push_back(fmt::format("{}: {} values", name, bad));
    out.tensors.emplace(name, view);
  }
  std::vector<std::string> left_over;
  for (const auto& item : named.tensors) {
    if (!is_allowed(options.allow, item.first)) left_over.push_back(item.first);
    report.dropped.push_back(item.first + " (left over, allowed)");
  }
  for (const auto& item : named.unreadable) {
    report.dropped.push_back(item.first + " (no tensor)");
  }
  constexpr std::size_t kShown = 5;
  const auto some = [](const std::vector<std::string>& names) {
    const auto end = names.begin() + std::min<std::ptrdiff_t>(kShown, std::ssize(names));
    return fmt::format(
        "{}{}", fmt::join(names.begin(), end, ", "),
        names.size() > kShown ? fmt::format(" and {} more", names.size() - kShown) : "");
  };
  LONGCONV_CHECK(missing.empty() && left_over.empty(), CheckpointError,
                 "{}: the tensors do not fit a {} model:{}{}\n  --allow NAME for each that is "
                 "meant so (patterns with * too)",
                 where, config.family(),
                 missing.empty()
                     ? ""
                     : fmt::format(" {} of {} missing: {};", missing.size(), wanted, some(missing)),
                 left_over.empty()
                     ? ""
                     : fmt::format(" {} left over: {};", left_over.size(), some(left_over)));
  return out;
}

/// Fresh values for the tensors the source lacks: the model is built only if there are any.
void initialise(Chosen& chosen, const ModelConfig& config, ImportReport& report) {
  if (chosen.initialised.empty()) return;
  const auto model = build(config);
  std::map<std::string, at::Tensor> fresh = state_dict(*model);
  for (auto& [name, tensor] : chosen.initialised) {
    tensor = fresh.at(name).detach().clone();
    report.initialised.push_back(name);
    chosen.tensors[name] = {
        name,
        tensor.scalar_type() == at::kLong ? Dtype::i64 : Dtype::f32,
        tensor.sizes().vec(),
        {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}};
  }
}

std::vector<std::string> checksums_of(const std::vector<fs::path>& files) {
  std::vector<std::string> out;
  out.reserve(files.size());
  for (const fs::path& file : files) {
    out.push_back(fmt::format("{}: sha256 {}", file.filename().string(),
                              files::hex(files::sha256_file(file))));
  }
  return out;
}

/// Writes the file and returns its checksum, made while the bytes pass: a large file is not read
/// again.
std::string write_hashed(const fs::path& path,
                         const std::map<std::string, files::TensorView>& all) {
  std::vector<files::TensorView> views;
  views.reserve(all.size());
  for (const auto& item : all) views.push_back(item.second);
  files::Sha256 hash;
  files::AtomicFile file(path);
  const std::string header = files::safetensors_header(views, {{"format", "pt"}}, path);
  file.write(header);
  hash.update(header);
  // A piece that stays in a core's cache between the two.
  constexpr std::size_t kPieceBytes = 256UL << 10;
  for (const files::TensorView& view : views) {
    for (std::size_t at = 0; at < view.data.size(); at += kPieceBytes) {
      const auto piece = view.data.subspan(at, std::min(kPieceBytes, view.data.size() - at));
      file.write(piece);
      hash.update(piece);
    }
  }
  file.commit();
  return files::hex(hash.finish());
}

std::string card(const ImportReport& report) {
  std::string text = fmt::format(
      "Imported from {} ({}).\n{}", fs::path(report.file).filename().string(), report.layout,
      report.published.empty()
          ? ""
          : "Recognised as " + report.published + "; the licence is that of its publication.\n");
  const auto list = [&](const char* title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    text += fmt::format("\n{}:\n", title);
    for (const std::string& line : lines) text += fmt::format("- {}\n", line);
  };
  list("Checksums of the source", report.checksums);
  list("Settings that the source leaves open", report.defaulted);
  list("Settings read from the source", report.inferred);
  list("Names repaired", report.repaired);
  list("Converted to float32", report.converted);
  list("Left out", report.dropped);
  list("Missing, initialised afresh", report.initialised);
  list("Not finite", report.not_finite);
  return text;
}

}  // namespace

ImportReport import_weights(const ImportOptions& options, const fs::path& folder) {
  const Source source = open_source(options.source);
  const std::string where = source.file.string();
  ImportReport report;
  report.file = where;
  report.layout = source.layout;
  report.ignored = source.ignored;
  // Beside the work: both read the file from the system's cache.
  std::future<std::vector<std::string>> checksums =
      std::async(std::launch::async, checksums_of, source.files);

  NamedTensors named;
  ModelFacts facts;
  for (const Importer& importer : kImporters) {
    named = {source.tensors, source.unreadable, {}};
    RepairReport repairs = importer.repair(named, where);
    if (!importer.recognises(named)) continue;
    report.family = importer.family;
    report.repaired = std::move(repairs.repaired);
    report.dropped = std::move(repairs.dropped);
    const std::string config_file = source.config_file.string();
    facts = importer.facts({named, source.config, config_file, options.overrides, where});
    if (importer.extend != nullptr) {
      for (std::string& line : importer.extend(named, facts.file->model)) {
        report.repaired.push_back(std::move(line));
      }
    }
    break;
  }
  if (report.family.empty()) {
    std::vector<std::string> known;
    for (const Importer& importer : kImporters) known.emplace_back(importer.family);
    throw CheckpointError(fmt::format(
        "{}: no model family knows these tensors ({}, ..); import reads the families: {}", where,
        source.tensors.begin()->first, fmt::join(known, ", ")));
  }
  report.published = facts.published;
  report.tokenizer = facts.tokenizer;
  report.family = facts.file->model.family();
  report.inferred = std::move(facts.inferred);
  report.defaulted = std::move(facts.defaulted);

  const ModelConfig& config = facts.file->model;
  const auto shapes = build(config, c10::TensorOptions().dtype(at::kFloat).device(at::kMeta));
  for (const at::Tensor& parameter : shapes->parameters()) report.parameters += parameter.numel();
  if (const std::size_t folded = fold_aliases(named.tensors, *shapes, where); folded > 0) {
    report.repaired.push_back(
        fmt::format("{} further names of shared tensors folded into one each", folded));
  }
  Chosen chosen = choose(named, config, *shapes, options, report, where);
  initialise(chosen, config, report);
  const std::string sha256 = write_hashed(folder / "model.safetensors", chosen.tensors);
  report.checksums = checksums.get();
  finish_model_folder(folder, config, report.parameters, card(report), sha256);
  return report;
}

}  // namespace longconv::models
