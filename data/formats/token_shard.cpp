#include "data/formats/token_shard.h"

#include "core/base/check.h"
#include "data/formats/packed.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace longconv::data {

namespace {

constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kBlockBytes = std::size_t{4} << 20;
constexpr std::uint32_t kVersion = 1;
constexpr char kShardMagic[] = "LCT1";
constexpr char kIndexMagic[] = "LCI1";
constexpr std::size_t kMagicBytes = 4;
// Field offsets of the shard's header: packed in the order of the format, nothing aligned.
constexpr std::size_t kDtypeAt = 8;
constexpr std::size_t kCountAt = 12;
constexpr std::size_t kVocabAt = 20;
constexpr std::size_t kEosAt = 28;
constexpr std::size_t kHashAt = 36;
constexpr std::size_t kHashBytes = std::tuple_size_v<files::Digest>;
// And of the index's.
constexpr std::size_t kDocumentsAt = 8;
constexpr std::size_t kIndexHashAt = 16;
constexpr std::size_t kStartsAt = kIndexHashAt + kHashBytes;
// Ids are 32 bits wide at most, and int32 in memory.
constexpr std::uint64_t kMaxVocab = std::uint64_t{1} << 31;

std::size_t blocks_of(std::size_t data_bytes) {
  return (data_bytes + kBlockBytes - 1) / kBlockBytes;
}

std::size_t data_bytes(const ShardHeader& header) {
  return static_cast<std::size_t>(header.count) * static_cast<std::size_t>(header.bytes_per_token);
}

std::int64_t token_at(std::span<const std::byte> bytes, std::size_t offset, int bytes_per_token) {
  return bytes_per_token == 2 ? std::int64_t{load<std::uint16_t>(bytes, offset)}
                              : std::int64_t{load<std::uint32_t>(bytes, offset)};
}

std::string wrong_id(const std::string& path, std::int64_t id, std::size_t offset,
                     std::int64_t vocab_size) {
  return fmt::format(
      "{}: token {} at byte {}, but the tokenizer has {} ids; wrong tokenizer for this shard?",
      path, id, offset, vocab_size);
}

void verify(std::span<const std::byte> file, const ShardHeader& header, const std::string& path) {
  const std::size_t bytes = data_bytes(header);
  const std::size_t step = static_cast<std::size_t>(header.bytes_per_token);
  for (std::size_t begin = 0; begin < bytes; begin += kBlockBytes) {
    const auto block = file.subspan(kHeaderBytes + begin, std::min(kBlockBytes, bytes - begin));
    const auto want = load<std::uint32_t>(
        file, kHeaderBytes + bytes + begin / kBlockBytes * sizeof(std::uint32_t));
    const std::uint32_t got = files::crc32c(block);
    LONGCONV_CHECK(got == want, DataError,
                   "{}: bytes {} to {} have CRC-32C {:08x}, the shard's trailer says {:08x}: the "
                   "file is damaged; prepare the corpus again",
                   path, kHeaderBytes + begin, kHeaderBytes + begin + block.size(), got, want);
    for (std::size_t i = 0; i < block.size(); i += step) {
      const std::int64_t id = token_at(block, i, header.bytes_per_token);
      if (id >= header.vocab_size) {
        throw DataError(wrong_id(path, id, kHeaderBytes + begin + i, header.vocab_size));
      }
    }
  }
}

}  // namespace

ShardHeader parse_shard_header(std::span<const std::byte> file, const std::string& path) {
  LONGCONV_CHECK(
      file.size() >= kMagicBytes && std::memcmp(file.data(), kShardMagic, kMagicBytes) == 0,
      DataError,
      "{}: not a token shard (a shard begins with the letters LCT1); foreign token files are "
      "turned "
      "into shards by `longconv data convert`",
      path);
  LONGCONV_CHECK(file.size() >= kHeaderBytes, DataError,
                 "{}: truncated: {} bytes, the header alone has {}", path, file.size(),
                 kHeaderBytes);
  const auto version = load<std::uint32_t>(file, kMagicBytes);
  LONGCONV_CHECK(version == kVersion, DataError,
                 "{}: shard version {} at byte 4, this program reads version {}", path, version,
                 kVersion);
  const auto dtype = load<std::uint32_t>(file, kDtypeAt);
  LONGCONV_CHECK(dtype == 2 || dtype == 4, DataError,
                 "{}: token type {} at byte {}, expected 2 (u16) or 4 (u32)", path, dtype,
                 kDtypeAt);
  const auto count = load<std::uint64_t>(file, kCountAt);
  const auto vocab = load<std::uint64_t>(file, kVocabAt);
  const auto eos = load<std::int64_t>(file, kEosAt);
  LONGCONV_CHECK(vocab >= 1 && vocab <= kMaxVocab, DataError,
                 "{}: vocabulary of {} ids at byte {}, expected 1 to {}", path, vocab, kVocabAt,
                 kMaxVocab);
  LONGCONV_CHECK(eos >= -1 && eos < static_cast<std::int64_t>(vocab), DataError,
                 "{}: EOS id {} at byte {}, expected -1 (none) or an id below {}", path, eos,
                 kEosAt, vocab);
  // Bounded by the file before anything is multiplied, so that no count overflows.
  const std::size_t body = file.size() - kHeaderBytes;
  const bool fits = count <= body / dtype;
  const std::size_t wanted = fits ? count * dtype + blocks_of(count * dtype) * 4 : 0;
  LONGCONV_CHECK(
      fits && wanted == body, DataError,
      "{}: the header says {} tokens of {} bytes{}, the file has {} bytes after its header: it is "
      "truncated or has been changed",
      path, count, dtype, fits ? fmt::format(" ({} bytes with checksums)", wanted) : "", body);

  ShardHeader header;
  header.count = static_cast<std::int64_t>(count);
  header.vocab_size = static_cast<std::int64_t>(vocab);
  header.eos_id = eos;
  header.bytes_per_token = static_cast<int>(dtype);
  std::memcpy(header.tokenizer.data(), file.data() + kHashAt, kHashBytes);
  return header;
}

TokenShard::TokenShard(const std::filesystem::path& path, bool check)
    : file_(path), header_(parse_shard_header(file_.bytes(), path.string())) {
  if (check) {
    file_.advise_sequential();
    verify(file_.bytes(), header_, path.string());
  }
  file_.advise_random();
}

void TokenShard::read(std::int64_t first, std::span<std::int64_t> out) const {
  const auto length = static_cast<std::int64_t>(out.size());
  LONGCONV_CHECK(first >= 0 && length <= header_.count && first <= header_.count - length,
                 DataError, "{}: tokens [{}, {}) asked for, the shard has {}", path().string(),
                 first, first + length, header_.count);
  const auto step = static_cast<std::size_t>(header_.bytes_per_token);
  std::size_t offset = kHeaderBytes + static_cast<std::size_t>(first) * step;
  for (std::int64_t& token : out) {
    token = token_at(file_.bytes(), offset, header_.bytes_per_token);
    if (token >= header_.vocab_size) {
      throw DataError(wrong_id(path().string(), token, offset, header_.vocab_size));
    }
    offset += step;
  }
}

std::filesystem::path index_path(const std::filesystem::path& shard) {
  return std::filesystem::path(shard).replace_extension(".idx");
}

namespace {

/// Checks the index's header against its size and the shard; returns the number of documents.
std::size_t index_documents(std::span<const std::byte> file, const ShardHeader& shard,
                            const std::string& path) {
  LONGCONV_CHECK(
      file.size() >= kStartsAt && std::memcmp(file.data(), kIndexMagic, kMagicBytes) == 0,
      DataError,
      "{}: not a document index (it begins with the letters LCI1 and has {} bytes or more)", path,
      kStartsAt);
  const auto version = load<std::uint32_t>(file, kMagicBytes);
  LONGCONV_CHECK(version == kVersion, DataError,
                 "{}: index version {} at byte 4, this program reads version {}", path, version,
                 kVersion);
  const auto documents = load<std::uint64_t>(file, kDocumentsAt);
  const std::size_t body = file.size() - kStartsAt;
  LONGCONV_CHECK(
      body % 8 == 0 && documents == body / 8, DataError,
      "{}: the header says {} documents of 8 bytes, the file has {} bytes after it: it is "
      "truncated or has been changed",
      path, documents, body);
  LONGCONV_CHECK(
      std::memcmp(file.data() + kIndexHashAt, shard.tokenizer.data(), kHashBytes) == 0, DataError,
      "{}: made with tokenizer {}, its shard with {}: the index belongs to another shard", path,
      files::hex({reinterpret_cast<const std::uint8_t*>(file.data()) + kIndexHashAt, 4}),
      files::hex({shard.tokenizer.data(), 4}));
  return documents;
}

}  // namespace

std::vector<std::int64_t> parse_shard_index(std::span<const std::byte> file,
                                            const ShardHeader& shard, const std::string& path) {
  const std::size_t documents = index_documents(file, shard, path);
  std::vector<std::int64_t> starts(documents);
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t offset = kStartsAt + 8 * i;
    const auto start = load<std::uint64_t>(file, offset);
    LONGCONV_CHECK(
        (i > 0 || start == 0) && start >= before &&
            start <= static_cast<std::uint64_t>(shard.count),
        DataError,
        "{}: document {} starts at token {} (byte {}), expected {} to {}: the index belongs "
        "to another shard",
        path, i, start, offset, before,
        i == 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(shard.count));
    starts[i] = static_cast<std::int64_t>(start);
    before = start;
  }
  return starts;
}

std::vector<std::int64_t> TokenShard::document_starts() const {
  const auto path = index_path(file_.path());
  const files::MappedFile index(path);
  return parse_shard_index(index.bytes(), header_, path.string());
}

ShardDocuments::ShardDocuments(const TokenShard& shard)
    : file_(index_path(shard.path())),
      tokens_(shard.size()),
      size_(static_cast<std::int64_t>(
          index_documents(file_.bytes(), shard.header(), file_.path().string()))) {
  file_.advise_random();
}

std::int64_t ShardDocuments::start(std::int64_t document) const {
  if (document == size_) return tokens_;
  return static_cast<std::int64_t>(
      load<std::uint64_t>(file_.bytes(), kStartsAt + 8 * static_cast<std::size_t>(document)));
}

ShardDocuments::Range ShardDocuments::range(std::int64_t document) const {
  LONGCONV_CHECK(document >= 0 && document < size_, DataError,
                 "{}: document {} asked for, there are {}", file_.path().string(), document, size_);
  const std::int64_t first = start(document);
  const std::int64_t end = start(document + 1);
  LONGCONV_CHECK(first >= 0 && first <= end && end <= tokens_, DataError,
                 "{}: document {} (byte {}) lies at tokens {} to {} of {}: the index belongs to "
                 "another shard",
                 file_.path().string(), document,
                 kStartsAt + 8 * static_cast<std::size_t>(document), first, end, tokens_);
  return {first, end - first};
}

namespace {

/// Narrows ids into `out`; returns how many are below `vocab_size`, up to the first that is not.
template <class T>
std::size_t narrow(std::span<const std::int32_t> ids, std::uint32_t vocab_size, std::byte* out) {
  bool all_known = true;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto id = static_cast<std::uint32_t>(ids[i]);
    all_known &= id < vocab_size;
    const auto value = static_cast<T>(id);
    std::memcpy(out + i * sizeof(T), &value, sizeof value);
  }
  if (all_known) return ids.size();
  const auto wrong = std::find_if(ids.begin(), ids.end(), [&](std::int32_t id) {
    return static_cast<std::uint32_t>(id) >= vocab_size;
  });
  return static_cast<std::size_t>(wrong - ids.begin());
}

}  // namespace

int bytes_per_token(std::int64_t vocab_size) { return vocab_size < 65536 ? 2 : 4; }

std::size_t PackedIds::append(std::span<const std::int32_t> ids) {
  const std::size_t before = bytes_.size();
  const auto width = static_cast<std::size_t>(bytes_per_token(vocab_size_));
  bytes_.resize(before + ids.size() * width);
  std::byte* out = bytes_.data() + before;
  const auto limit = static_cast<std::uint32_t>(vocab_size_);
  const std::size_t known =
      width == 2 ? narrow<std::uint16_t>(ids, limit, out) : narrow<std::uint32_t>(ids, limit, out);
  if (known < ids.size()) bytes_.resize(before);
  return known;
}

struct TokenShardWriter::Impl {
  Impl(const std::filesystem::path& path, std::int64_t vocab_size, std::int64_t eos_id,
       const files::Digest& tokenizer)
      : shard_path(path.string()), shard(path), index(index_path(path)), packed(vocab_size) {
    LONGCONV_CHECK(vocab_size >= 1 && static_cast<std::uint64_t>(vocab_size) <= kMaxVocab &&
                       eos_id >= -1 && eos_id < vocab_size,
                   DataError, "{}: a shard cannot hold a vocabulary of {} ids with EOS {}",
                   shard_path, vocab_size, eos_id);
    header.vocab_size = vocab_size;
    header.eos_id = eos_id;
    header.bytes_per_token = bytes_per_token(vocab_size);
    header.tokenizer = tokenizer;
    const std::vector<std::byte> nothing(kHeaderBytes);
    shard.write(nothing);
  }

  /// Checksums and writes what may be many blocks or a part of one.
  void append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto part = bytes.first(std::min(bytes.size(), kBlockBytes - block_bytes));
      if (block_bytes == 0) checksums.push_back(0);
      checksums.back() = files::crc32c(part, checksums.back());
      block_bytes = (block_bytes + part.size()) % kBlockBytes;
      shard.write(part);
      bytes = bytes.subspan(part.size());
    }
  }

  std::string shard_path;
  files::AtomicFile shard;
  files::AtomicFile index;
  ShardHeader header;
  std::size_t block_bytes = 0;  // of the last block, so far
  PackedIds packed;
  std::vector<std::uint32_t> checksums;  // of the blocks, that of the last unfinished
  std::vector<std::uint64_t> starts;
};

TokenShardWriter::TokenShardWriter(const std::filesystem::path& path, std::int64_t vocab_size,
                                   std::int64_t eos_id, const files::Digest& tokenizer)
    : impl_(std::make_unique<Impl>(path, vocab_size, eos_id, tokenizer)) {}

TokenShardWriter::~TokenShardWriter() = default;

void TokenShardWriter::add_document(std::span<const std::int32_t> ids) {
  impl_->starts.push_back(static_cast<std::uint64_t>(impl_->header.count));
  extend_document(ids);
}

void TokenShardWriter::extend_document(std::span<const std::int32_t> ids) {
  Impl& w = *impl_;
  w.packed.clear();
  const std::size_t wrong = w.packed.append(ids);
  if (wrong < ids.size()) {
    throw DataError(fmt::format(
        "{}: token {} at position {} of document {}, but the tokenizer has {} ids; wrong "
        "tokenizer for this shard?",
        w.shard_path, ids[wrong],
        w.header.count - static_cast<std::int64_t>(w.starts.back()) +
            static_cast<std::int64_t>(wrong),
        w.starts.size() - 1, w.header.vocab_size));
  }
  extend_document_packed(w.packed.bytes());
}

void TokenShardWriter::add_document_packed(std::span<const std::byte> ids) {
  impl_->starts.push_back(static_cast<std::uint64_t>(impl_->header.count));
  extend_document_packed(ids);
}

void TokenShardWriter::extend_document_packed(std::span<const std::byte> ids) {
  impl_->append(ids);
  impl_->header.count += static_cast<std::int64_t>(ids.size()) / impl_->header.bytes_per_token;
}

void TokenShardWriter::finish() {
  Impl& w = *impl_;
  w.shard.write(std::as_bytes(std::span(w.checksums)));

  std::vector<std::byte> header(kHeaderBytes);
  std::memcpy(header.data(), kShardMagic, kMagicBytes);
  store<std::uint32_t>(header, kMagicBytes, kVersion);
  store<std::uint32_t>(header, kDtypeAt, static_cast<std::uint32_t>(w.header.bytes_per_token));
  store<std::uint64_t>(header, kCountAt, static_cast<std::uint64_t>(w.header.count));
  store<std::uint64_t>(header, kVocabAt, static_cast<std::uint64_t>(w.header.vocab_size));
  store<std::int64_t>(header, kEosAt, w.header.eos_id);
  std::memcpy(header.data() + kHashAt, w.header.tokenizer.data(), kHashBytes);
  w.shard.write_at(0, header);

  std::vector<std::byte> index(kStartsAt);
  std::memcpy(index.data(), kIndexMagic, kMagicBytes);
  store<std::uint32_t>(index, kMagicBytes, kVersion);
  store<std::uint64_t>(index, kDocumentsAt, w.starts.size());
  std::memcpy(index.data() + kIndexHashAt, w.header.tokenizer.data(), kHashBytes);
  w.index.write(index);
  w.index.write(std::as_bytes(std::span(w.starts)));

  // The index first: a shard that is there has its index.
  w.index.commit();
  w.shard.commit();
}

}  // namespace longconv::data
