// A file of documents cut into blocks that threads can work on by themselves: whole lines of JSONL,
// or stretches of a text. Memory is bounded by the block and the longest line, not by the file.
#pragma once

#include "data/formats/byte_source.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// A line that was left out because it is longer than the limit.
struct LongLine {
  std::int64_t number = 0;
  std::int64_t bytes = 0;
  std::string begins;  ///< some 100 bytes
};

struct DocumentBlock {
  /// `size` bytes, and behind them kLinePadding (document_parser.h) that are not part of the block.
  std::unique_ptr<char[]> storage;
  std::size_t capacity = 0;  ///< of storage, besides the padding
  std::size_t size = 0;
  std::int64_t first_line = 1;  ///< of the file, from 1
  std::int64_t offset = 0;      ///< of the block in the (decompressed) file
  std::vector<LongLine> too_long;
  bool begins = false;  ///< a text: the document begins here
  bool ends = false;    ///< a text: it ends here
  [[nodiscard]] std::string_view bytes() const { return {storage.get(), size}; }
};

struct BlockOptions {
  enum class Content {
    lines,  ///< blocks of whole lines
    text    ///< one document; cut only behind a '\n' that has an ASCII letter, digit or sign on
            ///< both sides, where it makes no difference to Tokenizer::splits_at_lines() ones
  };
  Content content = Content::lines;
  std::size_t block_bytes = std::size_t{1} << 18;  ///< blocks are about as long, or one long line
  std::size_t longest = std::size_t{256} << 20;    ///< of a line, or of a text that is not cut; at
                                                   ///< least 256 KiB more than block_bytes
  bool cut_text = true;                            ///< false: a text is one block
  /// A text is two documents, of which the second begins at this byte.
  std::int64_t second_at = std::numeric_limits<std::int64_t>::max();
};

/// The blocks of one file, in order.
class DocumentBlocks {
 public:
  /// `source` gives what is in the file, decompressed.
  DocumentBlocks(std::unique_ptr<ByteSource> source, const BlockOptions& options);
  /// False at the end. A text without a byte is no block. The storage of the block given is used
  /// again: a thread that works on one after another keeps it in its cache. Throws DataError: what
  /// the source throws, and for a text that cannot be cut within `longest` bytes.
  bool next(DocumentBlock& block);

 private:
  bool next_lines(DocumentBlock& block);
  bool next_text(DocumentBlock& block);
  void fill(std::size_t wanted);
  void give(DocumentBlock& block, std::size_t size);
  void skip_line(DocumentBlock& block);

  std::unique_ptr<ByteSource> source_;
  BlockOptions options_;
  void make_room(std::size_t capacity);
  std::vector<char> rest_;        // read behind the last block
  std::unique_ptr<char[]> held_;  // during next(): read and not given yet, [0, held_size_)
  std::size_t held_size_ = 0;
  std::size_t capacity_ = 0;  // of held_, besides the padding
  bool finished_ = false;
  bool inside_ = false;  // of a document of a text
  std::int64_t line_ = 1;
  std::int64_t offset_ = 0;
};

}  // namespace longconv::data
