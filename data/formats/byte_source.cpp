#include "data/formats/byte_source.h"

#include "core/base/check.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace longconv::data {

namespace {

class DescriptorBytes final : public ByteSource {
 public:
  DescriptorBytes(int descriptor, std::string name, bool owned)
      : descriptor_(descriptor), name_(std::move(name)), owned_(owned) {}
  ~DescriptorBytes() override {
    if (owned_) ::close(descriptor_);
  }
  DescriptorBytes(const DescriptorBytes&) = delete;
  DescriptorBytes& operator=(const DescriptorBytes&) = delete;

  std::size_t read(std::span<std::byte> out) override {
    while (true) {
      const ssize_t got = ::read(descriptor_, out.data(), out.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      LONGCONV_CHECK(errno == EINTR, DataError, "{}: cannot be read: {}", name_,
                     std::strerror(errno));
    }
  }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  int descriptor_;
  std::string name_;
  bool owned_;
};

class MemoryBytes final : public ByteSource {
 public:
  MemoryBytes(std::span<const std::byte> bytes, std::string name)
      : bytes_(bytes), name_(std::move(name)) {}

  std::size_t read(std::span<std::byte> out) override {
    const std::size_t length = std::min(out.size(), bytes_.size());
    std::copy_n(bytes_.begin(), length, out.begin());
    bytes_ = bytes_.subspan(length);
    return length;
  }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
};

class ZstdBytes final : public ByteSource {
 public:
  explicit ZstdBytes(std::unique_ptr<ByteSource> compressed)
      : compressed_(std::move(compressed)),
        context_(ZSTD_createDCtx(), &ZSTD_freeDCtx),
        input_(ZSTD_DStreamInSize()) {
    LONGCONV_CHECK(context_ != nullptr, MemoryError, "{}: no memory for a zstd stream", name());
    // 1 GiB: the default of 128 MiB refuses files made with --long=28 or more.
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, 30);
  }

  std::size_t read(std::span<std::byte> out) override {
    ZSTD_outBuffer target{out.data(), out.size(), 0};
    while (target.pos == 0 && !out.empty()) {
      if (pending_.pos == pending_.size && !refill()) {
        // Data may still wait inside the decoder; only an unfinished frame with nothing left is an
        // error.
        if (between_frames_) return 0;
        decode(target);
        LONGCONV_CHECK(target.pos > 0 || between_frames_, DataError,
                       "{}: truncated: the zstd stream ends in the middle of a frame, at byte {}",
                       name(), consumed_);
        continue;
      }
      decode(target);
    }
    return target.pos;
  }
  [[nodiscard]] const std::string& name() const override { return compressed_->name(); }

 private:
  bool refill() {
    consumed_ += pending_.size;
    const std::size_t got = compressed_->read(input_);
    pending_ = {input_.data(), got, 0};
    LONGCONV_CHECK(got > 0 || consumed_ > 0, DataError, "{}: empty, expected a zstd stream",
                   name());
    return got > 0;
  }

  void decode(ZSTD_outBuffer& target) {
    const std::size_t left = ZSTD_decompressStream(context_.get(), &target, &pending_);
    LONGCONV_CHECK(ZSTD_isError(left) == 0U, DataError, "{}: bad zstd data near byte {}: {}",
                   name(), consumed_ + pending_.pos, ZSTD_getErrorName(left));
    between_frames_ = left == 0;
  }

  std::unique_ptr<ByteSource> compressed_;
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
  std::vector<std::byte> input_;
  ZSTD_inBuffer pending_{nullptr, 0, 0};
  std::size_t consumed_ = 0;  // compressed bytes before `pending_`
  bool between_frames_ = false;
};

class GzipBytes final : public ByteSource {
 public:
  explicit GzipBytes(std::unique_ptr<ByteSource> compressed)
      : compressed_(std::move(compressed)), input_(std::size_t{1} << 17) {
    constexpr int kGzipOnly = 16;  // zlib.h: windowBits + 16 expects gzip's header and trailer
    LONGCONV_CHECK(inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK, MemoryError,
                   "{}: no memory for a gzip stream", name());
  }
  ~GzipBytes() override { inflateEnd(&stream_); }
  GzipBytes(const GzipBytes&) = delete;
  GzipBytes& operator=(const GzipBytes&) = delete;

  std::size_t read(std::span<std::byte> out) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1U << 30));
    const std::size_t room = stream_.avail_out;
    while (stream_.avail_out == room && room > 0) {
      if (stream_.avail_in == 0 && !refill()) {
        LONGCONV_CHECK(between_members_, DataError,
                       "{}: truncated: the gzip stream ends in the middle of a member, at byte {}",
                       name(), consumed_);
        return 0;
      }
      if (between_members_) {
        inflateReset(&stream_);
        between_members_ = false;
      }
      const int status = inflate(&stream_, Z_NO_FLUSH);
      LONGCONV_CHECK(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, DataError,
                     "{}: bad gzip data near byte {}: {}", name(), consumed_ - stream_.avail_in,
                     stream_.msg != nullptr ? stream_.msg : zError(status));
      between_members_ = status == Z_STREAM_END;
    }
    return room - stream_.avail_out;
  }
  [[nodiscard]] const std::string& name() const override { return compressed_->name(); }

 private:
  bool refill() {
    const std::size_t got = compressed_->read(input_);
    LONGCONV_CHECK(got > 0 || consumed_ > 0, DataError, "{}: empty, expected a gzip stream",
                   name());
    consumed_ += got;
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(got);
    return got > 0;
  }

  std::unique_ptr<ByteSource> compressed_;
  std::vector<std::byte> input_;
  z_stream stream_{};
  std::size_t consumed_ = 0;  // compressed bytes read, those that wait in `input_` included
  bool between_members_ = false;
};

class WatchedBytes final : public ByteSource {
 public:
  WatchedBytes(std::unique_ptr<ByteSource> source, Passed& passed)
      : source_(std::move(source)), passed_(passed) {}

  std::size_t read(std::span<std::byte> out) override {
    const std::size_t got = source_->read(out);
    passed_.hash.update(std::span<const std::byte>(out).first(got));
    passed_.bytes += static_cast<std::int64_t>(got);
    return got;
  }
  [[nodiscard]] const std::string& name() const override { return source_->name(); }

 private:
  std::unique_ptr<ByteSource> source_;
  Passed& passed_;
};

}  // namespace

std::unique_ptr<ByteSource> file_bytes(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  LONGCONV_CHECK(descriptor >= 0, DataError, "{}: cannot be opened: {}", path.string(),
                 std::strerror(errno));
  return std::make_unique<DescriptorBytes>(descriptor, path.string(), /*owned=*/true);
}

std::unique_ptr<ByteSource> standard_input() {
  return std::make_unique<DescriptorBytes>(STDIN_FILENO, "<stdin>", /*owned=*/false);
}

std::unique_ptr<ByteSource> memory_bytes(std::span<const std::byte> bytes, std::string name) {
  return std::make_unique<MemoryBytes>(bytes, std::move(name));
}

std::unique_ptr<ByteSource> zstd_bytes(std::unique_ptr<ByteSource> compressed) {
  return std::make_unique<ZstdBytes>(std::move(compressed));
}

std::unique_ptr<ByteSource> gzip_bytes(std::unique_ptr<ByteSource> compressed) {
  return std::make_unique<GzipBytes>(std::move(compressed));
}

std::unique_ptr<ByteSource> watched_bytes(std::unique_ptr<ByteSource> source, Passed& passed) {
  return std::make_unique<WatchedBytes>(std::move(source), passed);
}

namespace {
constexpr std::size_t kChunkBytes = std::size_t{1} << 18;
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 30;
}  // namespace

LineReader::LineReader(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

bool LineReader::next(std::string_view& line) {
  std::size_t searched = begin_;
  while (true) {
    const char* data = buffer_.data();
    const void* newline =
        searched < end_ ? std::memchr(data + searched, '\n', end_ - searched) : nullptr;
    if (newline != nullptr || (finished_ && begin_ < end_)) {
      const std::size_t stop =
          newline != nullptr ? static_cast<std::size_t>(static_cast<const char*>(newline) - data)
                             : end_;
      line = {data + begin_, stop - begin_};
      begin_ = newline != nullptr ? stop + 1 : stop;
      ++number_;
      return true;
    }
    if (finished_) return false;

    // Move the unfinished line to the front, then make room for another chunk behind it.
    if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    searched = end_;
    LONGCONV_CHECK(end_ <= kMaxLineBytes, DataError, "{}:{}: line of more than {} bytes", name(),
                   number_ + 1, kMaxLineBytes);
    if (buffer_.size() < end_ + kChunkBytes) {
      buffer_.resize(std::max(2 * buffer_.size(), end_ + kChunkBytes));
    }
    const auto room = std::as_writable_bytes(std::span(buffer_)).subspan(end_);
    const std::size_t got = source_->read(room);
    finished_ = got == 0;
    end_ += got;
  }
}

}  // namespace longconv::data
