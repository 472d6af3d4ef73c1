#include "data/tasks/corpus_unit.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/tasks/ordered_pipe.h"
#include "data/tasks/split_writer.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <memory>

namespace longconv::data {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr std::size_t kBudgetBytes = std::size_t{128} << 20;
constexpr std::int64_t kManyBad = 1000;
constexpr std::size_t kShownBad = 3;

struct SourceBlock {
  std::size_t source = 0;
  DocumentBlock block;
};

/// What became of a block.
struct EncodedBlock final : DocumentSink {
  struct Piece {
    std::size_t end;  // in packed.bytes(); it begins where the last one ends
    Split split;
    std::int64_t bytes;
    bool begins;
    bool ends;
  };

  EncodedBlock(const Tokenizer& with, const EncodeOptions& how, std::size_t from)
      : source(from), tokenizer(&with), options(&how), packed(with.vocab_size()) {}

  void piece(const DocumentPiece& piece) override {
    std::vector<std::int32_t> encoded = tokenizer->encode(piece.text);
    if (options->document_tokens > 0) {
      encoded.resize(std::min(encoded.size(), static_cast<std::size_t>(options->document_tokens)));
    }
    const std::size_t wrong = packed.append(encoded);
    LONGCONV_CHECK(wrong == encoded.size(), DataError, "{} gives the id {}: it is damaged",
                   tokenizer->describe(), encoded[wrong]);
    if (options->eos && piece.ends) {
      const auto eos = static_cast<std::int32_t>(tokenizer->eos_id());
      LONGCONV_CHECK(packed.append({&eos, 1}) == 1, DataError,
                     "{} has the EOS id {}: it is damaged", tokenizer->describe(), eos);
    }
    const auto bytes = static_cast<std::int64_t>(piece.text.size());
    pieces.push_back({packed.bytes().size(), piece.split, bytes, piece.begins, piece.ends});
  }
  void bad(BadLine line) override { bad_lines.push_back(std::move(line)); }
  void empty() override { ++empty_documents; }

  std::size_t source;
  const Tokenizer* tokenizer;
  const EncodeOptions* options;
  PackedIds packed;  // narrowed here, while the ids are in this core's cache
  std::vector<Piece> pieces;
  std::vector<BadLine> bad_lines;
  std::int64_t empty_documents = 0;
};

/// Blocks of the sources, one source after another.
class SourceReader {
 public:
  SourceReader(std::span<const CorpusSource> sources, const DocumentRules& rules, bool whole_texts)
      : sources_(sources), rules_(rules), whole_texts_(whole_texts) {}

  bool next(SourceBlock& out) {
    for (; at_ < sources_.size(); ++at_) {
      const CorpusSource& source = sources_[at_];
      if (blocks_ == nullptr) {
        passed_ = std::make_unique<Passed>();
        modified_.push_back(modified_ns(source.path));
        blocks_ = std::make_unique<DocumentBlocks>(
            unpacked_bytes(watched_bytes(file_bytes(source.path), *passed_), source.format),
            block_options(source, rules_, whole_texts_));
      }
      out.source = at_;
      if (blocks_->next(out.block)) return true;
      LONGCONV_CHECK(passed_->bytes == source.bytes, DataError,
                     "{}: had {} bytes when the work was planned and has {} now: it is being "
                     "written to",
                     source.path.string(), source.bytes, passed_->bytes);
      entries_.push_back(source.entry(files::hex(passed_->hash.finish())));
      blocks_.reset();
    }
    return false;
  }

  [[nodiscard]] const std::vector<ManifestSource>& entries() const { return entries_; }
  [[nodiscard]] const std::vector<std::int64_t>& modified() const { return modified_; }

 private:
  std::span<const CorpusSource> sources_;
  const DocumentRules& rules_;
  bool whole_texts_;
  std::size_t at_ = 0;
  std::unique_ptr<Passed> passed_;
  std::unique_ptr<DocumentBlocks> blocks_;
  std::vector<ManifestSource> entries_;
  std::vector<std::int64_t> modified_;
};

/// Bad lines, counted, written down, and too many at some point.
class Quarantine {
 public:
  Quarantine(fs::path path, double share) : path_(std::move(path)), share_(share) {}

  void add(const std::string& source, const BadLine& line) {
    if (file_ == nullptr) file_ = std::make_unique<files::AtomicFile>(path_);
    const ordered_json entry = {{"source", source},
                                {"line", line.line},
                                {"bytes", line.bytes},
                                {"why", line.why},
                                {"begins", line.begins}};
    file_->write(entry.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
    if (count_ < static_cast<std::int64_t>(kShownBad)) {
      shown_ += fmt::format("\n  {}:{}: {}", source, line.line, line.why);
    }
    ++count_;
  }
  void check(std::int64_t lines) const {
    const auto allowed = share_ * static_cast<double>(lines);
    LONGCONV_CHECK(static_cast<double>(count_) <= allowed, DataError,
                   "{} of {} lines are bad, allowed is a share of {} (--max-bad); the first:{}",
                   count_, lines, share_, shown_);
  }
  [[nodiscard]] std::int64_t count() const { return count_; }
  void finish() {
    if (file_ != nullptr) file_->commit();
  }

 private:
  fs::path path_;
  double share_;
  std::unique_ptr<files::AtomicFile> file_;
  std::int64_t count_ = 0;
  std::string shown_;
};

}  // namespace

std::int64_t modified_ns(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

UnitRecord encode_unit(std::span<const CorpusSource> sources, const Tokenizer& tokenizer,
                       const EncodeOptions& options, const std::string& name,
                       const fs::path& corpus, const fs::path& bad_lines) {
  const auto begin = std::chrono::steady_clock::now();
  SplitWriter train(corpus, "train/" + name, tokenizer, options.shard_tokens);
  SplitWriter validation(corpus, "validation/" + name, tokenizer, options.shard_tokens);
  std::error_code ignored;
  fs::remove(bad_lines, ignored);
  Quarantine quarantine(bad_lines, options.max_bad);
  SourceReader reader(sources, options.rules,
                      !tokenizer.splits_at_lines() || options.document_tokens > 0);
  UnitRecord record;
  std::int64_t lines = 0;

  Pipe<SourceBlock, EncodedBlock> pipe;
  pipe.read = [&](SourceBlock& block) { return reader.next(block); };
  pipe.bytes = [](const SourceBlock& block) { return block.block.size; };
  pipe.make_worker = [&] {
    return [&, parser = std::make_shared<DocumentParser>()](SourceBlock& in) {
      EncodedBlock out(tokenizer, options, in.source);
      read_documents(in.block, sources[in.source], options.rules, *parser, out);
      return out;
    };
  };
  pipe.take = [&](EncodedBlock& block) {
    std::size_t from = 0;
    for (const EncodedBlock::Piece& piece : block.pieces) {
      SplitWriter& writer = piece.split == Split::train ? train : validation;
      writer.add(block.packed.bytes().subspan(from, piece.end - from), piece.bytes, piece.begins,
                 piece.ends);
      from = piece.end;
    }
    for (const BadLine& line : block.bad_lines) quarantine.add(sources[block.source].name, line);
    record.empty_documents += block.empty_documents;
    lines += static_cast<std::int64_t>(block.pieces.size() + block.bad_lines.size()) +
             block.empty_documents;
    if (quarantine.count() >= kManyBad) quarantine.check(lines);
  };
  run_pipe(pipe, options.threads, kBudgetBytes);

  quarantine.check(lines);
  quarantine.finish();
  record.bad_lines = quarantine.count();
  record.sources = reader.entries();
  record.modified_ns = reader.modified();
  record.train = train.finish();
  record.validation = validation.finish();
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return record;
}

}  // namespace longconv::data
