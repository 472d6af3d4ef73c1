#include "data/tokenizers/sentencepiece.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"
#include "data/formats/utf8.h"
#include "data/tokenizers/folder.h"
#include "data/tokenizers/protobuf.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <functional>
#include <future>
#include <mutex>
#include <optional>

namespace longconv::data {

namespace {

// Longer lines are encoded in parts, so that float32 scores stay meaningful. Cut before a space,
// where pieces begin.
constexpr std::size_t kMaxLineBytes = std::size_t{1} << 16;

/// ModelProto.trainer_spec.model_type.
std::string_view model_type(std::string_view model) {
  constexpr std::uint64_t kTrainerSpec = 2;
  constexpr std::uint64_t kTypeField = 3;
  constexpr std::array<std::string_view, 5> kNames{"?", "unigram", "bpe", "word", "char"};
  const auto spec = find_field(model, kTrainerSpec);
  const auto type = spec ? find_field(spec->bytes, kTypeField) : std::nullopt;
  const std::uint64_t value = type ? type->value : 1;  // unigram is the default, and left out
  return value < kNames.size() ? kNames[value] : kNames[0];
}

/// 32 bits of 64; the library takes all ones for "not set".
unsigned int seed_of(std::uint64_t seed) {
  const auto folded = static_cast<unsigned int>(seed ^ (seed >> 32));
  return folded == ~0U ? 0x9E3779B9U : folded;
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
    return encode_text(
        text, [this](std::string_view part, std::vector<int>& ids) { encode_whole(part, ids); });
  }

  [[nodiscard]] std::vector<std::int32_t> encode_sampled(std::string_view text,
                                                         const Sampling& sampling) const override {
    const std::string_view type = model_type(model_);
    if (type != "unigram" && type != "bpe") return Tokenizer::encode_sampled(text, sampling);
    LONGCONV_CHECK(sampling.alpha >= 0 && (type == "unigram" || sampling.alpha <= 1), DataError,
                   "encode with sampling: expected alpha >= 0 (bpe: a share from 0 to 1), got {}",
                   sampling.alpha);
    LONGCONV_CHECK(sampling.best == -1 || (sampling.best >= 1 && sampling.best <= 512), DataError,
                   "encode with sampling: expected -1 or 1 to 512 best ways, got {}",
                   sampling.best);
    const auto draw = [&](std::string_view part, std::vector<int>& ids) {
      const auto status =
          processor_.SampleEncode(part, sampling.best, static_cast<float>(sampling.alpha), &ids);
      LONGCONV_CHECK(status.ok(), DataError, "encode with sampling: SentencePiece fails: {}",
                     status.ToString());
    };
    // The library draws from a generator of the thread, seeded once, when the thread first asks: a
    // thread of its own makes the seed ours. Two at once would seed each other's.
    static std::mutex one_at_a_time;
    const std::scoped_lock lock(one_at_a_time);
    sentencepiece::SetRandomGeneratorSeed(seed_of(sampling.seed));
    return std::async(std::launch::async, [&] { return encode_text(text, draw); }).get();
  }

  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    text.reserve(ids.size() * 4);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      text += surfaces_[static_cast<std::size_t>(checked_id(*this, ids, i))];
    }
    if (dummy_prefix_ && text.starts_with(' ')) text.erase(0, 1);
    return text;
  }

  [[nodiscard]] std::int64_t vocab_size() const override { return processor_.GetPieceSize(); }
  [[nodiscard]] std::int64_t eos_id() const override { return processor_.eos_id(); }
  [[nodiscard]] files::Digest fingerprint() const override { return fingerprint_; }
  [[nodiscard]] bool splits_at_lines() const override { return by_line_; }
  [[nodiscard]] std::string describe() const override {
    return fmt::format("sentencepiece {}, {} ids", model_type(model_), vocab_size());
  }

  void save(const std::filesystem::path& folder) const override {
    files::create_folders(folder);
    files::write_atomic(folder / kSentencePieceFile, model_);
    write_tokenizer_card(folder, *this, "sentencepiece");
  }

 private:
  /// Fills `ids` with those of a text without newlines or bytes that are no UTF-8.
  using EncodeWhole = std::function<void(std::string_view text, std::vector<int>& ids)>;

  [[nodiscard]] std::vector<std::int32_t> encode_text(std::string_view text,
                                                      const EncodeWhole& whole) const {
    std::vector<std::int32_t> ids;
    ids.reserve(text.size() / 3);
    std::vector<int> scratch;
    if (!by_line_) {
      encode_part(text, whole, scratch, ids);
      return ids;
    }
    while (true) {
      const std::size_t stop = text.find('\n');
      encode_line(text.substr(0, stop), whole, scratch, ids);
      if (stop == std::string_view::npos) return ids;
      ids.push_back(newline_);
      text.remove_prefix(stop + 1);
    }
  }

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

  void encode_line(std::string_view line, const EncodeWhole& whole, std::vector<int>& scratch,
                   std::vector<std::int32_t>& ids) const {
    while (line.size() > kMaxLineBytes) {
      const std::size_t space = line.rfind(' ', kMaxLineBytes);
      std::size_t cut = space != std::string_view::npos ? space : 0;
      if (cut == 0) {
        // No space: cut between two characters, or anywhere in a run of stray bytes.
        cut = utf8_floor(line.substr(0, kMaxLineBytes + 1), kMaxLineBytes);
        if (cut == 0 || kMaxLineBytes - cut > 3) cut = kMaxLineBytes;
      }
      encode_part(line.substr(0, cut), whole, scratch, ids);
      line.remove_prefix(cut);
    }
    encode_part(line, whole, scratch, ids);
  }

  /// Byte pieces for what SentencePiece would change, SentencePiece for everything between.
  void encode_part(std::string_view text, const EncodeWhole& whole, std::vector<int>& scratch,
                   std::vector<std::int32_t>& ids) const {
    const auto plain = [&](std::string_view part) {
      if (part.empty()) return;
      whole(part, scratch);
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

}  // namespace

std::shared_ptr<const Tokenizer> sentencepiece_from_model(std::string model,
                                                          const std::string& where) {
  return std::make_shared<SentencePieceTokenizer>(std::move(model), where);
}

std::shared_ptr<const Tokenizer> open_sentencepiece(const std::filesystem::path& path) {
  return sentencepiece_from_model(files::read_text(path), path.string());
}

}  // namespace longconv::data
