#include "data/tokenizers/sentencepiece.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/formats/utf8.h"
#include "data/tokenizers/folder.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

namespace longconv::data {

namespace {

// SentencePiece's sign for a space, U+2581.
constexpr std::string_view kSpaceSign = "\xE2\x96\x81";
// Longer lines are encoded in parts, so that float32 scores stay meaningful. Cut before a space,
// where pieces begin.
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 16;

/// A number of a protobuf message: 7 bits a byte, low ones first. Takes it off `bytes`.
std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

struct Field {
  std::uint64_t value = 0;  ///< of a number
  std::string_view bytes;   ///< of a string or message
};

/// The first field `number` of a protobuf message; SentencePiece installs no header for its own.
std::optional<Field> find_field(std::string_view message, std::uint64_t number) {
  while (!message.empty()) {
    const std::uint64_t tag = take_varint(message);
    Field field;
    std::size_t skip = 0;
    switch (tag & 7) {
      case 0:
        field.value = take_varint(message);
        break;
      case 1:
        skip = 8;
        break;
      case 2:
        skip = take_varint(message);
        field.bytes = message.substr(0, skip);
        break;
      case 5:
        skip = 4;
        break;
      default:
        return std::nullopt;
    }
    if (tag >> 3 == number) return field;
    message.remove_prefix(std::min(skip, message.size()));
  }
  return std::nullopt;
}

/// ModelProto.trainer_spec.model_type.
std::string_view model_type(std::string_view model) {
  constexpr std::uint64_t kTrainerSpec = 2;
  constexpr std::uint64_t kModelType = 3;
  constexpr std::array<std::string_view, 5> kNames{"?", "unigram", "bpe", "word", "char"};
  const auto spec = find_field(model, kTrainerSpec);
  const auto type = spec ? find_field(spec->bytes, kModelType) : std::nullopt;
  const std::uint64_t value = type ? type->value : 1;  // unigram is the default, and left out
  return value < kNames.size() ? kNames[value] : kNames[0];
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, const std::string& where) : model_(std::move(model)) {
    const auto status = processor_.LoadFromSerializedProto(model_);
    LONGCONV_CHECK(status.ok() && processor_.GetPieceSize() > 0, DataError,
                   "{}: not a SentencePiece model: {}", where, status.ToString());
    files::Sha256 hash;
    hash.update("sentencepiece\n");
    hash.update(model_);
    fingerprint_ = hash.finish();
    read_pieces();
    find_manners();
  }

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size() / 3);
    std::vector<int> scratch;
    if (!by_line_) {
      encode_part(text, scratch, ids);
      return ids;
    }
    while (true) {
      const std::size_t stop = text.find('\n');
      encode_line(text.substr(0, stop), scratch, ids);
      if (stop == std::string_view::npos) return ids;
      ids.push_back(newline_);
      text.remove_prefix(stop + 1);
    }
  }

  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    text.reserve(ids.size() * 4);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      LONGCONV_CHECK(ids[i] >= 0 && ids[i] < vocab_size(), DataError,
                     "decode: id {} at position {}, but the tokenizer has {} ids", ids[i], i,
                     vocab_size());
      text += surfaces_[static_cast<std::size_t>(ids[i])];
    }
    if (dummy_prefix_ && text.starts_with(' ')) text.erase(0, 1);
    return text;
  }

  [[nodiscard]] std::int64_t vocab_size() const override { return processor_.GetPieceSize(); }
  [[nodiscard]] std::int64_t eos_id() const override { return processor_.eos_id(); }
  [[nodiscard]] files::Digest fingerprint() const override { return fingerprint_; }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("sentencepiece {}, {} ids", model_type(model_), vocab_size());
  }

  void save(const std::filesystem::path& folder) const override {
    files::create_folders(folder);
    files::write_atomic(folder / kSentencePieceFile, model_);
    write_tokenizer_card(folder, *this, "sentencepiece");
  }

 private:
  /// What each id stands for, and the ids of the bytes.
  void read_pieces() {
    byte_ids_.fill(-1);
    surfaces_.resize(static_cast<std::size_t>(processor_.GetPieceSize()));
    for (int id = 0; id < processor_.GetPieceSize(); ++id) {
      std::string& surface = surfaces_[static_cast<std::size_t>(id)];
      const std::string& piece = processor_.IdToPiece(id);
      if (processor_.IsControl(id)) continue;
      if (processor_.IsUnknown(id)) {
        surface = "\xEF\xBF\xBD";  // U+FFFD: something was there
      } else if (processor_.IsByte(id)) {
        const int value = std::stoi(piece.substr(3, 2), nullptr, 16);  // "<0x0A>"
        surface.assign(1, static_cast<char>(value));
        byte_ids_[static_cast<std::size_t>(value)] = id;
      } else {
        for (std::size_t i = 0; i < piece.size();) {
          const bool space = piece.compare(i, kSpaceSign.size(), kSpaceSign) == 0;
          surface += space ? ' ' : piece[i];
          i += space ? kSpaceSign.size() : 1;
        }
      }
    }
    has_bytes_ = std::all_of(byte_ids_.begin(), byte_ids_.end(), [](int id) { return id >= 0; });
  }

  /// The model file does not say it outside its private protobuf, so ask the model how it behaves.
  void find_manners() {
    const auto ids = [this](std::string_view text) {
      std::vector<int> out;
      encode_whole(text, out);
      return out;
    };
    const std::vector<int> letter = ids("a");
    dummy_prefix_ = !letter.empty() && surface_of(letter.front()).starts_with(' ');
    const std::vector<int> newline = ids("\n");
    if (newline.size() != 1 || surface_of(newline.front()) != "\n") return;
    newline_ = newline.front();
    std::vector<int> joined = letter;
    joined.push_back(newline_);
    joined.push_back(newline_);
    joined.insert(joined.end(), letter.begin(), letter.end());
    by_line_ =
        has_bytes_ && !dummy_prefix_ && ids("a\n\na") == joined && decode(ids(" a  ")) == " a  ";
  }

  [[nodiscard]] const std::string& surface_of(int id) const {
    return surfaces_[static_cast<std::size_t>(id)];
  }

  void encode_line(std::string_view line, std::vector<int>& scratch,
                   std::vector<std::int32_t>& ids) const {
    while (line.size() > kMaxLineBytes) {
      const std::size_t space = line.rfind(' ', kMaxLineBytes);
      std::size_t cut = space != std::string_view::npos ? space : 0;
      if (cut == 0) {
        // No space: cut between two characters, or anywhere in a run of stray bytes.
        cut = utf8_floor(line.substr(0, kMaxLineBytes + 1), kMaxLineBytes);
        if (cut == 0 || kMaxLineBytes - cut > 3) cut = kMaxLineBytes;
      }
      encode_part(line.substr(0, cut), scratch, ids);
      line.remove_prefix(cut);
    }
    encode_part(line, scratch, ids);
  }

  /// Byte pieces for what SentencePiece would change, SentencePiece for everything between.
  void encode_part(std::string_view text, std::vector<int>& scratch,
                   std::vector<std::int32_t>& ids) const {
    const auto plain = [&](std::string_view part) {
      if (part.empty()) return;
      encode_whole(part, scratch);
      ids.insert(ids.end(), scratch.begin(), scratch.end());
    };
    std::size_t begin = 0;
    while (has_bytes_) {
      const std::string_view rest = text.substr(begin);
      const std::size_t bad = utf8_error(rest);
      const std::size_t sign = by_line_ ? rest.substr(0, bad).find(kSpaceSign) : rest.npos;
      const std::size_t stop = std::min(bad, sign);
      if (stop == std::string_view::npos) break;
      plain(rest.substr(0, stop));
      const std::size_t length = sign < bad ? kSpaceSign.size() : 1;
      for (const char byte : rest.substr(stop, length)) {
        ids.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      }
      begin += stop + length;
    }
    plain(text.substr(begin));
  }

  void encode_whole(std::string_view text, std::vector<int>& ids) const {
    const auto status = processor_.Encode(text, &ids);
    LONGCONV_CHECK(status.ok(), DataError, "encode: SentencePiece fails: {}", status.ToString());
  }

  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
  files::Digest fingerprint_{};
  std::vector<std::string> surfaces_;  ///< bytes of each id; empty for control pieces
  std::array<int, 256> byte_ids_{};
  int newline_ = -1;
  bool has_bytes_ = false;
  bool by_line_ = false;       ///< one of ours: lines are independent, nothing is normalised
  bool dummy_prefix_ = false;  ///< puts a space before the text
};

/// The lines of a TextSource, as SentencePiece wants to be given them.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const TextSource& source) : source_(source) { Next(); }
  [[nodiscard]] bool done() const override { return done_; }
  [[nodiscard]] const std::string& value() const override { return line_; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

  void Next() override {
    do {
      if (at_ >= text_.size()) {
        at_ = 0;
        if (!source_(text_)) {
          done_ = true;
          return;
        }
      }
      const std::size_t stop = std::min(text_.find('\n', at_), text_.size());
      line_.assign(text_, at_, stop - at_);
      at_ = stop + 1;
      // A sentence with U+2581 or NUL is refused by the trainer, one with a tab misread: bytes
      // serve all three.
      std::replace(line_.begin(), line_.end(), '\0', ' ');
      std::replace(line_.begin(), line_.end(), '\t', ' ');
      for (auto i = line_.find(kSpaceSign); i != line_.npos; i = line_.find(kSpaceSign, i)) {
        line_[i] = ' ';
        line_.erase(i + 1, kSpaceSign.size() - 1);
      }
    } while (line_.empty());
  }

 private:
  const TextSource& source_;
  std::string text_;
  std::size_t at_ = 0;
  std::string line_;
  bool done_ = false;
};

}  // namespace

std::shared_ptr<const Tokenizer> train_sentencepiece(const SentencePieceOptions& options,
                                                     const TextSource& source) {
  LONGCONV_CHECK(options.model == "unigram" || options.model == "bpe" || options.model == "char",
                 DataError, "tokenizer model \"{}\": expected unigram, bpe or char", options.model);
  // <pad> <unk> <s> </s>, newline and 256 bytes come first; a vocabulary needs something more.
  constexpr std::int64_t kSpecial = 4 + 1 + 256;
  LONGCONV_CHECK(
      options.vocab_size > kSpecial && options.vocab_size <= 1'000'000, DataError,
      "tokenizer vocabulary of {} ids: expected more than {} (the special ones, newline and "
      "256 bytes) and at most 1000000",
      options.vocab_size, kSpecial);
  Sentences sentences(source);
  LONGCONV_CHECK(!sentences.done(), DataError, "tokenizer: no text to train it on");
  const std::unordered_map<std::string, std::string> arguments{
      {"model_type", options.model},
      {"vocab_size", std::to_string(options.vocab_size)},
      // The alphabet decides what "char" has; asking for more is no mistake there.
      {"hard_vocab_limit", options.model == "char" ? "false" : "true"},
      {"byte_fallback", "true"},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"add_dummy_prefix", "false"},
      {"character_coverage", "1.0"},
      {"split_digits", "true"},
      {"user_defined_symbols", "\n"},
      {"pad_id", "0"},
      {"unk_id", "1"},
      {"bos_id", "2"},
      {"eos_id", "3"},
      // Lines above this many bytes would be left out (4192 by default).
      {"max_sentence_length", "1073741824"},
      // Partial sums are added up thread by thread: a fixed number gives the same model everywhere.
      {"num_threads", "16"},
      {"minloglevel", "2"}};
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &sentences, &model);
  LONGCONV_CHECK(
      status.ok(), DataError,
      "tokenizer {}:{}: SentencePiece cannot train it: {}\n  a smaller vocabulary or more "
      "text may do",
      options.model, options.vocab_size, status.ToString());
  return std::make_shared<SentencePieceTokenizer>(std::move(model), "trained model");
}

std::shared_ptr<const Tokenizer> train_sentencepiece(const SentencePieceOptions& options,
                                                     std::string_view text) {
  bool given = false;
  return train_sentencepiece(options, [&](std::string& out) {
    if (given) return false;
    given = true;
    out = text;
    return true;
  });
}

std::shared_ptr<const Tokenizer> open_sentencepiece(const std::filesystem::path& path) {
  return std::make_shared<SentencePieceTokenizer>(files::read_text(path), path.string());
}

}  // namespace longconv::data
