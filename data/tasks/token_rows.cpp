#include "data/tasks/token_rows.h"

#include "core/base/check.h"
#include "core/files/mapped_file.h"
#include "core/files/npy.h"
#include "data/formats/documents.h"
#include "data/formats/fasta_index.h"
#include "data/formats/fasta_records.h"
#include "data/formats/genome_files.h"
#include "data/tokenizers/dna.h"

#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace longconv::data {
namespace {

namespace fs = std::filesystem;

/// A matrix of integers in a .npy file, read a row at a time.
class NpyMatrix {
 public:
  explicit NpyMatrix(const fs::path& path)
      : file_(path), view_(files::parse_npy(file_.bytes(), path.string())) {
    file_.advise_sequential();
  }
  [[nodiscard]] const files::TensorView& view() const { return view_; }
  [[nodiscard]] std::int64_t rows() const { return view_.shape[0]; }
  [[nodiscard]] std::int64_t columns() const { return view_.shape[1]; }

  void read(std::int64_t row, std::span<std::int64_t> out) const {
    switch (view_.dtype) {
      case Dtype::i64:
        return copy<std::int64_t>(row, out);
      case Dtype::i32:
        return copy<std::int32_t>(row, out);
      case Dtype::i16:
        return copy<std::int16_t>(row, out);
      case Dtype::i8:
        return copy<std::int8_t>(row, out);
      default:  // u8, boolean
        return copy<std::uint8_t>(row, out);
    }
  }

 private:
  template <class T>
  void copy(std::int64_t row, std::span<std::int64_t> out) const {
    const std::byte* from = view_.data.data() + row * columns() * std::int64_t{sizeof(T)};
    for (std::int64_t& value : out) {
      T narrow{};
      std::memcpy(&narrow, from, sizeof narrow);  // the header may leave the data unaligned
      value = narrow;  // NOLINT(bugprone-signed-char-misuse): int8 keeps its sign, as wider ids do
      from += sizeof narrow;
    }
  }
  files::MappedFile file_;
  files::TensorView view_;
};

class NpyRows final : public TokenRows {
 public:
  NpyRows(const fs::path& path, const fs::path& mask) : path_(path.string()), ids_(path) {
    const files::TensorView& view = ids_.view();
    LONGCONV_CHECK(view.dtype == Dtype::i32 || view.dtype == Dtype::i64, DataError,
                   "{}: expected token ids in int32 or int64, got {}", path_, name(view.dtype));
    LONGCONV_CHECK(view.shape.size() == 2, DataError,
                   "{}: expected (rows, tokens), got the shape {}", path_,
                   files::shape_words(view.shape));
    if (mask.empty()) return;
    mask_.emplace(mask);
    const files::TensorView& flags = mask_->view();
    const bool is_float = flags.dtype == Dtype::f64 || flags.dtype == Dtype::f32 ||
                          flags.dtype == Dtype::f16 || flags.dtype == Dtype::bf16;
    LONGCONV_CHECK(!is_float, DataError, "{}: expected a mask of booleans or integers, got {}",
                   mask.string(), name(flags.dtype));
    LONGCONV_CHECK(flags.shape == view.shape, DataError, "{}: expected the shape of {}, {}, got {}",
                   mask.string(), path_, files::shape_words(view.shape),
                   files::shape_words(flags.shape));
    mask_path_ = mask.string();
  }

  bool next(TokenRow& row) override {
    if (row_ == ids_.rows()) return false;
    row.ids.resize(static_cast<std::size_t>(ids_.columns()));
    row.where = fmt::format("{}: row {}", path_, row_);
    row.name.clear();
    row.mask.clear();
    if (mask_) read_mask(row);
    ids_.read(row_++, row.ids);
    return true;
  }

 private:
  void read_mask(TokenRow& row) const {
    std::vector<std::int64_t> flags(row.ids.size());
    mask_->read(row_, flags);
    for (std::size_t i = 0; i < flags.size(); ++i) {
      LONGCONV_CHECK(flags[i] == 0 || flags[i] == 1, DataError,
                     "{}: row {}, column {}: expected 0 or 1, got {}", mask_path_, row_, i,
                     flags[i]);
      row.mask.push_back(static_cast<std::uint8_t>(flags[i]));
    }
  }
  std::string path_;
  std::string mask_path_;
  NpyMatrix ids_;
  std::optional<NpyMatrix> mask_;
  std::int64_t row_ = 0;
};

void encode(const Tokenizer& tokenizer, std::string_view text, std::vector<std::int64_t>& ids) {
  if (const auto* dna = dynamic_cast<const DnaTokenizer*>(&tokenizer)) {
    ids.resize(text.size());  // without the 32-bit copy: a row may be a chromosome
    dna->encode(text, ids);
    return;
  }
  const std::vector<std::int32_t> narrow = tokenizer.encode(text);
  ids.assign(narrow.begin(), narrow.end());
}

class FastaRows final : public TokenRows {
 public:
  FastaRows(const fs::path& path, std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)), reader_(unpacked(path)) {}

  bool next(TokenRow& row) override {
    FastaRecord record;
    if (!reader_.next(record)) return false;
    encode(*tokenizer_, record.bases, row.ids);
    row.mask.clear();
    row.name = fasta_name(record.header);
    row.where = reader_.where();
    return true;
  }

 private:
  /// By the first bytes: names do not always say that a file is compressed.
  static std::unique_ptr<ByteSource> unpacked(const fs::path& path) {
    constexpr std::array kGzip = {std::byte{0x1f}, std::byte{0x8b}};
    std::array<std::byte, kGzip.size()> first{};
    const std::size_t got = file_bytes(path)->read(first);
    auto source = file_bytes(path);
    return got == first.size() && first == kGzip ? gzip_bytes(std::move(source))
                                                 : std::move(source);
  }
  std::shared_ptr<const Tokenizer> tokenizer_;
  FastaReader reader_;
};

class DocumentRows final : public TokenRows {
 public:
  DocumentRows(const fs::path& path, DocumentFormat format,
               std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)), reader_(path, format) {}

  bool next(TokenRow& row) override {
    if (!reader_.next(text_)) return false;
    encode(*tokenizer_, text_, row.ids);
    row.mask.clear();
    row.name.clear();
    row.where = reader_.where();
    return true;
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  DocumentReader reader_;
  std::string text_;
};

}  // namespace

bool holds_ids(const fs::path& path) { return path.extension() == ".npy"; }

std::unique_ptr<TokenRows> open_token_rows(const fs::path& path, const fs::path& mask,
                                           std::shared_ptr<const Tokenizer> tokenizer) {
  if (holds_ids(path)) return std::make_unique<NpyRows>(path, mask);
  LONGCONV_CHECK(mask.empty(), UsageError,
                 "{}: a mask goes with ids in .npy; rows of {} have no padding to mask",
                 mask.string(), path.string());
  // Not .2bit: its sequences are read in windows, and a row is a whole sequence.
  if (!genome_name(path).empty() && path.extension() != ".2bit") {
    return std::make_unique<FastaRows>(path, std::move(tokenizer));
  }
  const std::optional<DocumentFormat> format = document_format(path);
  LONGCONV_CHECK(format.has_value(), UsageError, "{}: expected a name ending in {}", path.string(),
                 kRowEndings);
  return std::make_unique<DocumentRows>(path, *format, std::move(tokenizer));
}

}  // namespace longconv::data
