#include "data/tasks/corpus_training_text.h"

#include "core/base/log.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>

namespace longconv::data {

namespace {

class TrainingText final : DocumentSink {
 public:
  TrainingText(std::span<const CorpusSource> sources, const DocumentRules& rules,
               std::int64_t bytes)
      : sources_(sources), rules_(rules), room_(bytes) {}

  bool next(std::string& text) {
    while (waiting_.empty()) {
      if (at_ == sources_.size() || full_) return false;
      const CorpusSource& source = sources_[at_];
      if (blocks_ == nullptr) {
        blocks_ =
            std::make_unique<DocumentBlocks>(unpacked_bytes(file_bytes(source.path), source.format),
                                             block_options(source, rules_, /*whole_texts=*/false));
      }
      DocumentBlock block;
      if (blocks_->next(block)) {
        read_documents(block, source, rules_, parser_, *this);
      } else {
        blocks_.reset();
        ++at_;
      }
    }
    text = std::move(waiting_.front());
    waiting_.pop_front();
    return true;
  }

 private:
  void piece(const DocumentPiece& piece) override {
    if (piece.split != Split::train || full_) return;
    std::string_view text = piece.text;
    if (static_cast<std::int64_t>(text.size()) > room_) {
      full_ = true;
      text = text.substr(0, static_cast<std::size_t>(room_));
      text = text.substr(0, std::min(text.rfind('\n'), text.size()));
      log::info(
          "the tokenizer sees the first part of the training text, and the end of that is in "
          "{}",
          sources_[at_].path.string());
    }
    room_ -= static_cast<std::int64_t>(text.size());
    if (!text.empty()) waiting_.emplace_back(text);
  }
  void bad(BadLine /*line*/) override {}
  void empty() override {}

  std::span<const CorpusSource> sources_;
  DocumentRules rules_;
  std::int64_t room_;
  bool full_ = false;
  std::size_t at_ = 0;
  std::unique_ptr<DocumentBlocks> blocks_;
  DocumentParser parser_;
  std::deque<std::string> waiting_;
};

}  // namespace

TextSource training_text(std::span<const CorpusSource> sources, const DocumentRules& rules,
                         std::int64_t bytes) {
  return [text = std::make_shared<TrainingText>(sources, rules, bytes)](std::string& out) {
    return text->next(out);
  };
}

}  // namespace longconv::data
