#include "data/tasks/lm.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "data/tasks/corpus_manifest.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

/// The shards of a split, each as the manifest says.
std::vector<fs::path> check_split(const fs::path& folder, const ManifestSplit& split,
                                  const Manifest& manifest) {
  std::vector<fs::path> paths;
  for (const ManifestShard& entry : split.shards) {
    const fs::path relative = fs::path(entry.file).lexically_normal();
    LONGCONV_CHECK(relative.is_relative() && *relative.begin() != "..", DataError,
                   "{}: the manifest names a shard outside the folder: {}", folder.string(),
                   entry.file);
    const fs::path path = folder / relative;
    std::error_code error;
    LONGCONV_CHECK(
        fs::is_regular_file(path, error), DataError,
        "{}: missing; {} lists it with {} tokens: copy the whole folder, or prepare it again",
        path.string(), kManifestFile, entry.tokens);
    const TokenShard shard(path, /*verify=*/false);
    const std::string made_with = files::hex(shard.header().tokenizer);
    LONGCONV_CHECK(
        made_with == manifest.tokenizer_fingerprint, DataError,
        "{}: made with tokenizer {}, the corpus has {} ({}); the shard belongs to another "
        "corpus",
        path.string(), made_with.substr(0, 12), manifest.tokenizer_fingerprint.substr(0, 12),
        manifest.tokenizer_description);
    LONGCONV_CHECK(
        shard.size() == entry.tokens && shard.header().vocab_size == manifest.vocab_size, DataError,
        "{}: {} tokens of a vocabulary of {}, the manifest says {} of {}; the shard belongs to "
        "another corpus",
        path.string(), shard.size(), shard.header().vocab_size, entry.tokens, manifest.vocab_size);
    paths.push_back(path);
  }
  return paths;
}

/// Reading more than this at the start of every run would take minutes.
constexpr std::uintmax_t kVerifiedBytes = std::uintmax_t{4} << 30;

std::uintmax_t total_bytes(const std::vector<fs::path>& paths) {
  std::uintmax_t sum = 0;
  for (const fs::path& path : paths) {
    std::error_code error;
    const std::uintmax_t bytes = fs::file_size(path, error);
    if (!error) sum += bytes;  // else opening it says why
  }
  return sum;
}

}  // namespace

Corpus open_corpus(const DataConfig& config) {
  if (config.path().empty()) {
    config.path.fail("no corpus given; expected a folder that `longconv data prepare` wrote");
  }
  Corpus corpus;
  corpus.folder = config.path();
  const Manifest manifest = read_manifest(corpus.folder);
  corpus.fingerprint = manifest.fingerprint();

  const std::string chosen = config.tokenizer();
  corpus.tokenizer =
      open_tokenizer(chosen.empty() ? (corpus.folder / "tokenizer").string() : chosen);
  const std::string got = files::hex(corpus.tokenizer->fingerprint());
  LONGCONV_CHECK(
      got == manifest.tokenizer_fingerprint, DataError,
      "{}: the shards were made with {} ({}), but {} is {} ({}): wrong tokenizer for this "
      "corpus",
      corpus.folder.string(), manifest.tokenizer_description,
      manifest.tokenizer_fingerprint.substr(0, 12),
      chosen.empty() ? "its tokenizer folder" : "data.tokenizer = \"" + chosen + "\"",
      corpus.tokenizer->describe(), got.substr(0, 12));

  corpus.train = check_split(corpus.folder, manifest.train, manifest);
  corpus.validation = check_split(corpus.folder, manifest.validation, manifest);
  corpus.train_bytes = manifest.train.bytes;
  corpus.validation_bytes = manifest.validation.bytes;
  corpus.train_tokens = manifest.train.tokens;
  corpus.validation_tokens = manifest.validation.tokens;
  return corpus;
}

struct WindowDataset::Impl {
  std::vector<TokenShard> shards;
  std::vector<std::int64_t> starts;  // of each shard in the concatenation, and the end
  std::int64_t seq_len = 0;
};

WindowDataset::WindowDataset(const std::vector<fs::path>& shards, std::int64_t seq_len)
    : impl_(std::make_unique<Impl>()) {
  LONGCONV_CHECK(seq_len >= 1, DataError, "windows of {} tokens: expected at least 1", seq_len);
  impl_->seq_len = seq_len;
  impl_->starts.push_back(0);
  const bool verify = total_bytes(shards) <= kVerifiedBytes;
  if (!verify) {
    log::info(
        "{} shards are opened without checking their checksums, which `longconv data inspect "
        "--verify` does",
        shards.size());
  }
  for (const fs::path& path : shards) {
    impl_->shards.emplace_back(path, verify);
    const TokenShard& shard = impl_->shards.back();
    const TokenShard& first = impl_->shards.front();
    LONGCONV_CHECK(
        shard.header().tokenizer == first.header().tokenizer, DataError,
        "{}: made with tokenizer {}, but {} with {}: these shards do not belong together",
        path.string(), files::hex(shard.header().tokenizer).substr(0, 12), first.path().string(),
        files::hex(first.header().tokenizer).substr(0, 12));
    impl_->starts.push_back(impl_->starts.back() + shard.size());
  }
}

WindowDataset::~WindowDataset() = default;

std::int64_t WindowDataset::tokens() const { return impl_->starts.back(); }

std::int64_t WindowDataset::seq_len() const { return impl_->seq_len; }

std::int64_t WindowDataset::size() const {
  return std::max<std::int64_t>(tokens() - 1, 0) / impl_->seq_len;
}

void WindowDataset::read(std::int64_t first, std::span<std::int64_t> out) const {
  const auto length = static_cast<std::int64_t>(out.size());
  LONGCONV_CHECK(first >= 0 && length <= tokens() && first <= tokens() - length, DataError,
                 "tokens [{}, {}) asked for, the shards have {}", first, first + length, tokens());
  const auto& starts = impl_->starts;
  auto shard = static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), first) -
                                        starts.begin() - 1);
  while (!out.empty()) {
    const std::int64_t here =
        std::min(static_cast<std::int64_t>(out.size()), starts[shard + 1] - first);
    const auto part = out.first(static_cast<std::size_t>(here));
    impl_->shards[shard].read(first - starts[shard], part);
    out = out.subspan(part.size());
    first += here;
    ++shard;
  }
}

Batch WindowDataset::get(std::span<const std::int64_t> indices) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  const std::int64_t length = impl_->seq_len;
  Batch out{at::empty({batch, length}, at::kLong), at::empty({batch, length}, at::kLong)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<std::int64_t>();
  for (const std::int64_t index : indices) {
    LONGCONV_CHECK(index >= 0 && index < size(), DataError, "window {} asked for, there are {}",
                   index, size());
    const std::int64_t first = index * length;
    read(first, {input, 1});
    read(first + 1, {target, static_cast<std::size_t>(length)});
    std::copy_n(target, length - 1, input + 1);
    input += length;
    target += length;
  }
  return out;
}

}  // namespace longconv::data
