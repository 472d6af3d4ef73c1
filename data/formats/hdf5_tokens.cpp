#include "data/formats/hdf5_tokens.h"

#include "core/base/check.h"
#include "data/formats/hdf5_file.h"
#include "data/formats/hdf5_reader.h"

#include <algorithm>

namespace longconv::data {

namespace {

constexpr std::int64_t kChunkTokens = std::int64_t{1} << 20;

files::Digest parse_digest(const std::string& text, const std::string& path) {
  files::Digest digest{};
  const auto nibble = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  bool fine = text.size() == 2 * digest.size();
  for (std::size_t i = 0; fine && i < digest.size(); ++i) {
    const int high = nibble(text[2 * i]);
    const int low = nibble(text[2 * i + 1]);
    fine = high >= 0 && low >= 0;
    if (fine) digest[i] = static_cast<std::uint8_t>(16 * high + low);
  }
  LONGCONV_CHECK(fine, DataError,
                 "{}: attribute tokenizer_sha256: expected 64 hexadecimal digits, got \"{}\"", path,
                 text);
  return digest;
}

}  // namespace

struct Hdf5Tokens::Impl {
  explicit Impl(const std::filesystem::path& path)
      : file(path), tokens(file.dataset("tokens", 1)) {}
  hdf5::Reader file;
  hdf5::Dataset tokens;
  ShardHeader header;
};

Hdf5Tokens::Hdf5Tokens(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {
  Impl& c = *impl_;
  LONGCONV_CHECK(c.tokens.is_integer() && (c.tokens.type.bytes == 2 || c.tokens.type.bytes == 4),
                 DataError, "{}: expected 16- or 32-bit integers", c.tokens.where);
  c.header.count = static_cast<std::int64_t>(c.tokens.elements);
  c.header.bytes_per_token = static_cast<int>(c.tokens.type.bytes);
  c.header.vocab_size = c.file.integer_attribute("vocab_size");
  c.header.eos_id = c.file.integer_attribute("eos_id");
  LONGCONV_CHECK(c.header.vocab_size >= 1 && c.header.vocab_size <= std::int64_t{1} << 31,
                 DataError, "{}: attribute vocab_size: {}, expected 1 to 2^31", path.string(),
                 c.header.vocab_size);
  LONGCONV_CHECK(c.header.eos_id >= -1 && c.header.eos_id < c.header.vocab_size, DataError,
                 "{}: attribute eos_id: {}, expected -1 (none) or an id below {}", path.string(),
                 c.header.eos_id, c.header.vocab_size);
  c.header.tokenizer = parse_digest(c.file.text_attribute("tokenizer_sha256"), path.string());
}

Hdf5Tokens::~Hdf5Tokens() = default;

const ShardHeader& Hdf5Tokens::header() const { return impl_->header; }

std::vector<std::int64_t> Hdf5Tokens::document_starts() const {
  const Impl& c = *impl_;
  if (!c.file.has("doc_offsets")) return {0};
  const hdf5::Dataset dataset = c.file.dataset("doc_offsets", 1);
  LONGCONV_CHECK(dataset.is_integer(), DataError, "{}: expected integers", dataset.where);
  std::vector<std::int64_t> starts = c.file.integers(dataset, 0, dataset.shape[0]);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::int64_t least = i == 0 ? 0 : starts[i - 1];
    const std::int64_t most = i == 0 ? 0 : c.header.count;
    LONGCONV_CHECK(starts[i] >= least && starts[i] <= most, DataError,
                   "{}: document {} starts at token {}, expected {} to {}", dataset.where, i,
                   starts[i], least, most);
  }
  return starts;
}

void Hdf5Tokens::read(std::int64_t first, std::span<std::int32_t> out) const {
  const Impl& c = *impl_;
  const auto length = static_cast<std::int64_t>(out.size());
  LONGCONV_CHECK(first >= 0 && length <= c.header.count && first <= c.header.count - length,
                 DataError, "{}: tokens [{}, {}) asked for, there are {}", c.tokens.where, first,
                 first + length, c.header.count);
  const auto ids = c.file.integers(c.tokens, static_cast<std::uint64_t>(first), out.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    LONGCONV_CHECK(ids[i] >= 0 && ids[i] < c.header.vocab_size, DataError,
                   "{}: token {} at position {}, but the tokenizer has {} ids; wrong tokenizer for "
                   "this container?",
                   c.tokens.where, ids[i], static_cast<std::size_t>(first) + i,
                   c.header.vocab_size);
    out[i] = static_cast<std::int32_t>(ids[i]);
  }
}

void shard_to_hdf5(const TokenShard& shard, const std::filesystem::path& out) {
  const std::vector<std::int64_t> starts = shard.document_starts();
  const hdf5::Session session;
  hdf5::NewFile file(out);
  const std::uint64_t count[] = {static_cast<std::uint64_t>(shard.size())};
  const std::uint64_t documents[] = {starts.size()};
  const hid_t type = shard.header().bytes_per_token == 2 ? H5T_STD_U16LE : H5T_STD_U32LE;
  {
    const hdf5::Handle tokens = file.create("tokens", count, type);
    std::vector<std::int64_t> chunk;
    for (std::int64_t first = 0; first < shard.size(); first += kChunkTokens) {
      chunk.resize(static_cast<std::size_t>(std::min(kChunkTokens, shard.size() - first)));
      shard.read(first, chunk);
      file.write_slice(tokens, static_cast<std::uint64_t>(first), chunk.size(), H5T_NATIVE_INT64,
                       chunk.data());
    }
    const hdf5::Handle offsets = file.create("doc_offsets", documents, H5T_STD_U64LE);
    file.write_slice(offsets, 0, starts.size(), H5T_NATIVE_INT64, starts.data());
  }
  file.integer_attribute("eos_id", shard.header().eos_id);
  file.integer_attribute("vocab_size", shard.header().vocab_size);
  file.text_attribute("tokenizer_sha256", files::hex(shard.header().tokenizer));
  file.commit();
}

void hdf5_to_shard(const std::filesystem::path& container, const std::filesystem::path& out) {
  const Hdf5Tokens source(container);
  const ShardHeader& header = source.header();
  std::vector<std::int64_t> starts = source.document_starts();
  starts.push_back(header.count);
  TokenShardWriter writer(out, header.vocab_size, header.eos_id, header.tokenizer);

  // Documents are often short and HDF5's calls are not: read large chunks, cut documents from them.
  std::vector<std::int32_t> chunk;
  std::int64_t chunk_begin = 0;
  std::vector<std::int32_t> document;
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    document.clear();
    std::int64_t at = starts[i];
    while (at < starts[i + 1]) {
      const auto chunk_end = chunk_begin + static_cast<std::int64_t>(chunk.size());
      if (at >= chunk_end) {
        chunk_begin = at;
        chunk.resize(static_cast<std::size_t>(std::min(kChunkTokens, header.count - at)));
        source.read(at, chunk);
        continue;
      }
      const std::int64_t stop = std::min(starts[i + 1], chunk_end);
      document.insert(document.end(), chunk.begin() + (at - chunk_begin),
                      chunk.begin() + (stop - chunk_begin));
      at = stop;
    }
    writer.add_document(document);
  }
  writer.finish();
}

}  // namespace longconv::data
