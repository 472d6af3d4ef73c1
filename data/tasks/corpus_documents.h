// The documents in a block of a source: parsed, checked, counted, and each given to train or
// validation.
#pragma once

#include "data/formats/document_blocks.h"
#include "data/formats/document_parser.h"
#include "data/tasks/corpus_sources.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::data {

/// What counts as a document, and what is kept of it.
struct DocumentRules {
  bool lines = false;             ///< a line of a text, with its '\n', is a document (WikiText)
  double validation_share = 0.0;  ///< of the documents of training sources that validate
  std::uint64_t split_seed = 0;
  std::int64_t document_chars = 0;  ///< keep so many characters of each; 0 = all
};

/// A line that holds no document, and why.
struct BadLine {
  std::int64_t line = 0;  ///< of the source, from 1
  std::int64_t bytes = 0;
  std::string why;
  std::string begins;  ///< the line's first bytes
};

struct DocumentPiece {
  std::string_view text;  ///< UTF-8, not empty; valid during the call
  Split split = Split::train;
  bool begins = true;  ///< a text may come in several pieces
  bool ends = true;
};

class DocumentSink {
 public:
  virtual ~DocumentSink() = default;
  virtual void piece(const DocumentPiece& piece) = 0;
  virtual void bad(BadLine line) = 0;
  virtual void empty() = 0;  ///< a document without text, or a blank line
};

/// How a source is cut into blocks under these rules. `whole_texts`: a text is one block, for
/// tokenizers that must see all of it.
BlockOptions block_options(const CorpusSource& source, const DocumentRules& rules,
                           bool whole_texts);

/// Gives what is in `block` to `sink`, in order. A document of JSONL or of a line goes to
/// validation by a hash of its text and the seed, so that equal texts stay together; a whole text
/// by a hash of its name. Throws DataError (file, line, byte) for a text that is not UTF-8: it has
/// no lines to leave out.
void read_documents(const DocumentBlock& block, const CorpusSource& source,
                    const DocumentRules& rules, DocumentParser& parser, DocumentSink& sink);

}  // namespace longconv::data
