// BERT's WordPiece (Devlin et al., arXiv:1810.04805), uncased: words of
// data/tokenizers/bert_text.h, each the longest pieces of the vocabulary from left to right, "##"
// before all but the first. A word of more than 100 characters, or with a rest that no piece fits,
// is one [UNK].
//
// Follows Hugging Face's BertTokenizer (Python) with Unicode 15; docs/tokenizers.md lists where
// others differ. Not lossless: case, accents and spaces are gone. Decoding joins the pieces with
// spaces.
#pragma once

#include "data/tokenizers/tokenizer.h"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace longconv::data {

/// From the text of a vocab.txt: a token a line, its id is the line's number from 0. `name` begins
/// messages. Throws DataError with the line: what data/tokenizers/vocabulary_lines.h refuses, a
/// token twice or empty; no [UNK]; a vocabulary with capitals, which is not an uncased one.
std::shared_ptr<const Tokenizer> parse_wordpiece(std::string_view text, const std::string& name,
                                                 const TokenizerOptions& options = {});
std::shared_ptr<const Tokenizer> open_wordpiece(const std::filesystem::path& path,
                                                const TokenizerOptions& options = {});

}  // namespace longconv::data
