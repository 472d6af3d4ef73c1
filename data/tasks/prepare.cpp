#include "data/tasks/prepare.h"

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/files/atomic_file.h"
#include "core/files/hash.h"
#include "data/formats/token_shard.h"
#include "data/tasks/corpus_sources.h"
#include "data/tasks/temporary_folder.h"
#include "data/tokenizers/sentencepiece.h"
#include "data/tokenizers/tokenizer.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <exception>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTokenizerTextBytes = std::int64_t{1} << 30;
// A block of documents is read while the one before is encoded: enough to keep every core busy.
constexpr std::size_t kBlockBytes = std::size_t{32} << 20;
constexpr std::size_t kBlockDocuments = 8192;

struct Training {
  std::string model;
  std::int64_t vocab_size = 0;
};

/// "unigram:2000"; nothing for "bytes" and paths.
std::optional<Training> parse_training(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string model = text.substr(0, colon);
  if (model != "unigram" && model != "bpe" && model != "char") return std::nullopt;
  std::int64_t vocab_size = 0;
  const char* end = text.data() + text.size();
  const char* begin = colon == std::string::npos ? end : text.data() + colon + 1;
  const auto [stop, error] = std::from_chars(begin, end, vocab_size);
  LONGCONV_CHECK(error == std::errc() && stop == end && vocab_size > 0, UsageError,
                 "--tokenizer {}: expected {}:N with N ids, e.g. {}:2000", text, model, model);
  return Training{model, vocab_size};
}

std::shared_ptr<const Tokenizer> train_tokenizer(const Training& training,
                                                 const std::vector<CorpusSource>& sources) {
  log::info("training a {} tokenizer of {} ids on the training text", training.model,
            training.vocab_size);
  CorpusReader reader(sources);
  std::int64_t taken = 0;
  bool cut = false;
  auto tokenizer =
      train_sentencepiece({training.model, training.vocab_size}, [&](std::string& text) {
        Split split{};
        while (!cut && reader.next(text, split)) {
          if (split != Split::train) continue;
          const std::int64_t room = kTokenizerTextBytes - taken;
          if (static_cast<std::int64_t>(text.size()) > room) {
            text.resize(static_cast<std::size_t>(room));
            text.resize(std::min(text.rfind('\n'), text.size()));
            cut = true;
          }
          taken += static_cast<std::int64_t>(text.size());
          return !text.empty();
        }
        return false;
      });
  if (cut) log::info("the tokenizer has seen the first {} bytes of the training text", taken);
  return tokenizer;
}

/// One split's shards, a new one whenever the last is full.
class SplitWriter {
 public:
  SplitWriter(fs::path folder, std::string name, const Tokenizer& tokenizer,
              std::int64_t shard_tokens)
      : folder_(std::move(folder)),
        name_(std::move(name)),
        tokenizer_(tokenizer),
        shard_tokens_(shard_tokens) {
    files::create_folders(folder_ / name_);
  }

  void add(const std::string& text, std::span<const std::int32_t> ids) {
    if (writer_ == nullptr) {
      shard_ = {};
      shard_.file = fmt::format("{}/{:05}.lct", name_, split_.shards.size());
      writer_ = std::make_unique<TokenShardWriter>(folder_ / shard_.file, tokenizer_.vocab_size(),
                                                   tokenizer_.eos_id(), tokenizer_.fingerprint());
    }
    writer_->add_document(ids);
    shard_.tokens += static_cast<std::int64_t>(ids.size());
    ++shard_.documents;
    split_.bytes += static_cast<std::int64_t>(text.size());
    if (shard_.tokens >= shard_tokens_) close();
  }

  ManifestSplit finish() {
    close();
    return std::move(split_);
  }

 private:
  void close() {
    if (writer_ == nullptr) return;
    writer_->finish();
    writer_.reset();
    const fs::path path = folder_ / shard_.file;
    shard_.bytes = static_cast<std::int64_t>(fs::file_size(path));
    shard_.sha256 = files::hex(files::sha256_file(path));
    split_.tokens += shard_.tokens;
    split_.documents += shard_.documents;
    split_.shards.push_back(shard_);
  }

  fs::path folder_;
  std::string name_;
  const Tokenizer& tokenizer_;
  std::int64_t shard_tokens_;
  ManifestSplit split_;
  ManifestShard shard_;
  std::unique_ptr<TokenShardWriter> writer_;
};

struct Document {
  std::string text;
  Split split = Split::train;
  std::vector<std::int32_t> ids;
};

std::vector<Document> read_block(CorpusReader& reader) {
  std::vector<Document> block;
  std::size_t bytes = 0;
  while (bytes < kBlockBytes && block.size() < kBlockDocuments) {
    Document document;
    if (!reader.next(document.text, document.split)) break;
    bytes += document.text.size();
    block.push_back(std::move(document));
  }
  return block;
}

void encode_block(std::vector<Document>& block, const Tokenizer& tokenizer, bool eos,
                  std::int64_t threads) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < block.size(); i = next++) {
        block[i].ids = tokenizer.encode(block[i].text);
        if (eos) block[i].ids.push_back(static_cast<std::int32_t>(tokenizer.eos_id()));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      next = block.size();
    }
  };
  const auto others = std::min(static_cast<std::size_t>(threads), block.size()) - 1;
  std::vector<std::thread> pool;
  for (std::size_t i = 0; i < others; ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  if (error) std::rethrow_exception(error);
}

void write_shards(const std::vector<CorpusSource>& sources, const Tokenizer& tokenizer,
                  const PrepareOptions& options, const fs::path& folder, Manifest& manifest) {
  std::int64_t threads = options.threads;
  if (threads <= 0) threads = std::max(1U, std::thread::hardware_concurrency());
  SplitWriter train(folder, "train", tokenizer, options.shard_tokens);
  SplitWriter validation(folder, "validation", tokenizer, options.shard_tokens);
  CorpusReader reader(sources);
  std::vector<Document> block = read_block(reader);
  while (!block.empty()) {
    auto following = std::async(std::launch::async, [&reader] { return read_block(reader); });
    encode_block(block, tokenizer, options.eos, threads);
    for (const Document& document : block) {
      (document.split == Split::train ? train : validation).add(document.text, document.ids);
    }
    block = following.get();
  }
  manifest.train = train.finish();
  manifest.validation = validation.finish();
}

/// Complains if `folder` is not the finished corpus of `wanted`'s inputs, else returns its
/// manifest.
Manifest reuse(const fs::path& folder, const Manifest& wanted) {
  constexpr char kNext[] = "choose another --out, or remove this folder";
  LONGCONV_CHECK(has_manifest(folder), DataError, "{}: exists and is no corpus (it has no {}); {}",
                 folder.string(), kManifestFile, kNext);
  Manifest there = read_manifest(folder);
  LONGCONV_CHECK(there.inputs_fingerprint() == wanted.inputs_fingerprint(), DataError,
                 "{}: holds a corpus made from other sources or with other options; {}",
                 folder.string(), kNext);
  for (const ManifestSplit* split : {&there.train, &there.validation}) {
    for (const ManifestShard& shard : split->shards) {
      std::error_code error;
      const auto bytes = fs::file_size(folder / shard.file, error);
      LONGCONV_CHECK(!error && static_cast<std::int64_t>(bytes) == shard.bytes, DataError,
                     "{}: shard {} is missing or has been changed; {}", folder.string(), shard.file,
                     kNext);
    }
  }
  return there;
}

}  // namespace

PrepareResult prepare_corpus(const PrepareOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  LONGCONV_CHECK(!options.out.empty(), UsageError, "data prepare: --out FOLDER is missing");
  // Absolute and without a trailing slash, so that it has a name and a parent.
  fs::path out = fs::absolute(options.out).lexically_normal();
  if (!out.has_filename()) out = out.parent_path();
  const std::optional<Training> training = parse_training(options.tokenizer);
  std::shared_ptr<const Tokenizer> tokenizer;
  if (!training) tokenizer = open_tokenizer(options.tokenizer);
  LONGCONV_CHECK(!options.eos || training || tokenizer->eos_id() >= 0, DataError,
                 "--tokenizer {}: it has no EOS id to put after each document; use --no-eos",
                 options.tokenizer);

  files::create_folders(out.parent_path());
  const TemporaryFolder temporary(out);
  const std::vector<CorpusSource> sources = find_sources(
      options.sources, options.validation, options.holdout, temporary.path() / "stdin");

  Manifest manifest;
  manifest.eos = options.eos;
  manifest.tokenizer_option =
      training || options.tokenizer == "bytes"
          ? options.tokenizer
          : fmt::format("{} {}", tokenizer->describe(), files::hex(tokenizer->fingerprint()));
  for (const CorpusSource& source : sources) manifest.sources.push_back(source.entry());

  std::error_code error;
  if (fs::exists(out, error) && !(fs::is_directory(out, error) && fs::is_empty(out, error))) {
    return {reuse(out, manifest), /*reused=*/true, seconds()};
  }

  if (training) tokenizer = train_tokenizer(*training, sources);
  manifest.tokenizer_description = tokenizer->describe();
  manifest.vocab_size = tokenizer->vocab_size();
  manifest.eos_id = tokenizer->eos_id();
  manifest.tokenizer_fingerprint = files::hex(tokenizer->fingerprint());

  const fs::path corpus = temporary.path() / "corpus";
  files::create_folders(corpus);
  tokenizer->save(corpus / "tokenizer");
  write_shards(sources, *tokenizer, options, corpus, manifest);
  LONGCONV_CHECK(manifest.train.tokens > 0, DataError,
                 "{}: no training text: every source is empty or for validation only",
                 out.string());
  if (manifest.validation.tokens == 0) {
    log::warn("no validation text: name some with --validation or --holdout");
  }
  files::write_atomic(corpus / kManifestFile, manifest.to_json());
  files::sync_folder(corpus);
  fs::rename(corpus, out, error);
  LONGCONV_CHECK(!error, EnvironmentError, "{}: the finished corpus cannot be put there: {}",
                 out.string(), error.message());
  files::sync_folder(out.parent_path());
  return {std::move(manifest), /*reused=*/false, seconds()};
}

}  // namespace longconv::data
