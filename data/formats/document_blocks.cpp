#include "data/formats/document_blocks.h"

#include "core/base/check.h"
#include "data/formats/document_parser.h"

#include <algorithm>
#include <cstring>

namespace longconv::data {

namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 17;
constexpr std::size_t kShownBytes = 100;
constexpr std::size_t kNowhere = std::string_view::npos;

/// ASCII that is neither white space nor a control character.
bool is_sign(char c) { return c > ' ' && c < '\x7f'; }

/// By memchr, which the lines of most corpora are long enough for.
std::int64_t newlines(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t at = text.find('\n'); at != kNowhere; at = text.find('\n', at + 1)) ++count;
  return count;
}

/// Behind the last newline of `text` at which it may be cut; kNowhere if there is none.
std::size_t last_cut(std::string_view text) {
  std::size_t at = text.rfind('\n');
  while (at != kNowhere && at > 0) {
    if (at + 1 < text.size() && is_sign(text[at - 1]) && is_sign(text[at + 1])) return at + 1;
    at = text.rfind('\n', at - 1);
  }
  return kNowhere;
}

}  // namespace

DocumentBlocks::DocumentBlocks(std::unique_ptr<ByteSource> source, const BlockOptions& options)
    : source_(std::move(source)), options_(options) {
  // So that only the first line held can be too long: more is read only while there is no other.
  options_.longest = std::max(options_.longest, options_.block_bytes + kReadBytes);
}

bool DocumentBlocks::next(DocumentBlock& block) {
  // What was read behind the last block goes to the front of the caller's own storage.
  const std::size_t usual = options_.block_bytes + kReadBytes;
  held_ = block.capacity <= 2 * usual ? std::move(block.storage) : nullptr;
  capacity_ = held_ != nullptr ? block.capacity : 0;
  held_size_ = 0;
  if (capacity_ < std::max(usual, rest_.size())) make_room(std::max(usual, rest_.size()));
  std::copy(rest_.begin(), rest_.end(), held_.get());
  held_size_ = rest_.size();
  block = {};
  return options_.content == BlockOptions::Content::lines ? next_lines(block) : next_text(block);
}

/// Another buffer with what is held. Nothing is cleared: these are most of the bytes that pass.
void DocumentBlocks::make_room(std::size_t capacity) {
  auto larger = std::make_unique_for_overwrite<char[]>(capacity + kLinePadding);
  if (held_size_ > 0) std::memcpy(larger.get(), held_.get(), held_size_);
  held_ = std::move(larger);
  capacity_ = capacity;
}

/// Reads until `wanted` bytes are held, or all there are.
void DocumentBlocks::fill(std::size_t wanted) {
  while (!finished_ && held_size_ < wanted) {
    if (capacity_ < held_size_ + kReadBytes) make_room(std::max(held_size_ + kReadBytes, wanted));
    const std::span<char> room(held_.get() + held_size_, capacity_ - held_size_);
    const std::size_t got = source_->read(std::as_writable_bytes(room));
    finished_ = got == 0;
    held_size_ += got;
  }
}

/// Gives the first `size` bytes held to `block` and keeps the rest.
void DocumentBlocks::give(DocumentBlock& block, std::size_t size) {
  rest_.assign(held_.get() + size, held_.get() + held_size_);
  std::memset(held_.get() + held_size_, 0, kLinePadding);
  block.storage = std::move(held_);
  block.capacity = capacity_;
  block.size = size;
  block.first_line = line_;
  block.offset = offset_;
  line_ += newlines(block.bytes());
  offset_ += static_cast<std::int64_t>(size);
}

/// Reads over a line longer than the limit, of which the first bytes are held.
void DocumentBlocks::skip_line(DocumentBlock& block) {
  LongLine line{line_, 0, std::string(held_.get(), std::min(held_size_, kShownBytes))};
  while (true) {
    const void* newline = std::memchr(held_.get(), '\n', held_size_);
    const std::size_t size =
        newline != nullptr
            ? static_cast<std::size_t>(static_cast<const char*>(newline) - held_.get()) + 1
            : held_size_;
    line.bytes += static_cast<std::int64_t>(size);
    offset_ += static_cast<std::int64_t>(size);
    std::memmove(held_.get(), held_.get() + size, held_size_ - size);
    held_size_ -= size;
    if (newline != nullptr) {
      --line.bytes;
      break;
    }
    if (finished_) break;
    fill(kReadBytes);
  }
  ++line_;
  block.too_long.push_back(std::move(line));
}

bool DocumentBlocks::next_lines(DocumentBlock& block) {
  std::size_t wanted = options_.block_bytes;
  while (true) {
    fill(wanted);
    const std::string_view held(held_.get(), held_size_);
    const std::size_t first = held.find('\n');
    if (std::min(first, held_size_) > options_.longest) {
      skip_line(block);
      wanted = options_.block_bytes;
    } else if (first != kNowhere) {
      give(block, held.rfind('\n') + 1);
      return true;
    } else if (finished_) {
      const bool any = held_size_ > 0 || !block.too_long.empty();
      give(block, held_size_);  // a last line without a newline
      return any;
    } else {
      wanted = std::min(2 * wanted, options_.longest + 1);
    }
  }
}

bool DocumentBlocks::next_text(DocumentBlock& block) {
  std::size_t wanted = options_.cut_text ? options_.block_bytes : options_.longest + 1;
  while (true) {
    fill(wanted);
    if (held_size_ == 0) return false;
    const std::int64_t until_second = offset_ < options_.second_at
                                          ? options_.second_at - offset_
                                          : std::numeric_limits<std::int64_t>::max();
    const bool second_here = static_cast<std::int64_t>(held_size_) >= until_second;
    const std::size_t size = second_here ? static_cast<std::size_t>(until_second) : held_size_;
    // The end of what is held is the end of a document only if nothing follows.
    const bool ends = second_here || finished_;
    std::size_t cut = ends && size <= wanted ? size : kNowhere;
    if (cut == kNowhere && options_.cut_text) cut = last_cut({held_.get(), size});
    if (cut == kNowhere && ends && size <= options_.longest) cut = size;
    if (cut != kNowhere) {
      block.begins = !inside_;
      block.ends = ends && cut == size;
      inside_ = !block.ends;
      give(block, cut);
      return true;
    }
    LONGCONV_CHECK(
        held_size_ <= options_.longest, DataError,
        "{}:{}: {} bytes from byte {} on without an end or a line break to cut at, the limit is "
        "{}: split the text into several files, or into .jsonl",
        source_->name(), line_, held_size_, offset_, options_.longest);
    wanted = std::min(2 * wanted, options_.longest + 1);
  }
}

}  // namespace longconv::data
