#include "data/tasks/split_writer.h"

#include "core/files/hash.h"

#include <fmt/format.h>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;

std::string shard_name(const std::string& name, std::size_t number) {
  return fmt::format("{}-{:03}.lct", name, number);
}

}  // namespace

SplitWriter::SplitWriter(fs::path folder, std::string name, const Tokenizer& tokenizer,
                         std::int64_t shard_tokens)
    : folder_(std::move(folder)),
      name_(std::move(name)),
      vocab_size_(tokenizer.vocab_size()),
      eos_id_(tokenizer.eos_id()),
      fingerprint_(tokenizer.fingerprint()),
      shard_tokens_(shard_tokens) {
  files::create_folders((folder_ / name_).parent_path());
  std::error_code error;
  for (std::size_t i = 0; fs::remove(index_path(folder_ / shard_name(name_, i)), error); ++i) {
    fs::remove(folder_ / shard_name(name_, i), error);
  }
}

void SplitWriter::add(std::span<const std::byte> ids, std::int64_t bytes, bool begins, bool ends) {
  if (writer_ == nullptr) {
    shard_ = {};
    shard_.file = shard_name(name_, split_.shards.size());
    writer_ = std::make_unique<TokenShardWriter>(folder_ / shard_.file, vocab_size_, eos_id_,
                                                 fingerprint_);
  }
  if (begins) {
    writer_->add_document_packed(ids);
    ++shard_.documents;
  } else {
    writer_->extend_document_packed(ids);
  }
  shard_.tokens += static_cast<std::int64_t>(ids.size()) / bytes_per_token(vocab_size_);
  split_.bytes += bytes;
  if (ends && shard_.tokens >= shard_tokens_) close();
}

ManifestSplit SplitWriter::finish() {
  close();
  return std::move(split_);
}

void SplitWriter::close() {
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

}  // namespace longconv::data
