#include "core/files/npy.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <string_view>

namespace longconv::files {
namespace {

static_assert(std::endian::native == std::endian::little, "only '<' types are read and written");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kPrefix = 8;      // magic and version; the header's size follows
constexpr std::size_t kAlignment = 64;  // of the data's begin, as NumPy has it

struct Descr {
  std::string_view word;
  Dtype dtype;
};
constexpr Descr kDescrs[] = {
    {"<f8", Dtype::f64}, {"<f4", Dtype::f32}, {"<f2", Dtype::f16},
    {"<i8", Dtype::i64}, {"<i4", Dtype::i32}, {"<i2", Dtype::i16},
    {"|i1", Dtype::i8},  {"|u1", Dtype::u8},  {"|b1", Dtype::boolean},
};

/// The header: a Python literal of one fixed kind,
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } and spaces up to a newline.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  void read() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      field(key);
      if (accept('}')) break;
      expect(',');
    }
    skip_spaces();
    if (at_ != text_.size()) fail("nothing after the closing brace");
    LONGCONV_CHECK(has_descr_ && has_order_ && has_shape_, DataError,
                   "{}: header: expected descr, fortran_order and shape", path_);
  }

  std::string_view descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;

 private:
  void field(std::string_view key) {
    if (key == "descr") {
      once(has_descr_, key);
      if (peek() == '[') fail("one dtype (a structured array has several)");
      descr = quoted();
    } else if (key == "fortran_order") {
      once(has_order_, key);
      fortran_order = boolean();
    } else if (key == "shape") {
      once(has_shape_, key);
      expect('(');
      while (!accept(')')) {
        shape.push_back(integer());
        if (accept(')')) break;
        expect(',');
      }
    } else {
      fail("descr, fortran_order or shape as the key");
    }
  }

  void once(bool& seen, std::string_view key) {
    LONGCONV_CHECK(!seen, DataError, "{}: header: {} comes twice", path_, key);
    seen = true;
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  char peek() {
    skip_spaces();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}'", c));
  }

  std::string_view quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted word");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a closing quote");
    const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return word;
  }

  bool boolean() {
    skip_spaces();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    }
    fail("True or False");
  }

  std::int64_t integer() {
    skip_spaces();
    std::int64_t value = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) fail("a dimension from 0 to 2^63 - 1");
    at_ = static_cast<std::size_t>(end - text_.data());
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote long integers so
    return value;
  }

  [[noreturn]] void fail(const std::string& wanted) const {
    throw DataError(fmt::format("{}: header byte {}: expected {}", path_, at_, wanted));
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  bool has_descr_ = false;
  bool has_order_ = false;
  bool has_shape_ = false;
};

Dtype dtype_of(std::string_view descr, const std::string& path) {
  if (descr == "<i1" || descr == "<u1" || descr == "<b1") {
    return descr[1] == 'i' ? Dtype::i8 : descr[1] == 'u' ? Dtype::u8 : Dtype::boolean;
  }
  for (const Descr& row : kDescrs) {
    if (row.word == descr) return row.dtype;
  }
  throw DataError(fmt::format(
      "{}: expected a dtype of <f8 <f4 <f2 <i8 <i4 <i2 |i1 |u1 |b1, got \"{}\"{}", path,
      descr.substr(0, 32), descr.starts_with('>') ? " (big-endian); convert it in NumPy" : ""));
}

}  // namespace

TensorView parse_npy(std::span<const std::byte> bytes, const std::string& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  LONGCONV_CHECK(text.size() > kPrefix && text.starts_with(kMagic), DataError,
                 "{}: expected a .npy file, which begins with \\x93NUMPY", path);
  const int major = static_cast<unsigned char>(text[6]);
  LONGCONV_CHECK(major >= 1 && major <= 3, DataError,
                 "{}: expected .npy version 1, 2 or 3, got {}.{}", path, major,
                 static_cast<int>(static_cast<unsigned char>(text[7])));
  const std::size_t size_bytes = major == 1 ? 2 : 4;
  const std::size_t begin = kPrefix + size_bytes;
  std::uint32_t header_bytes = 0;
  LONGCONV_CHECK(text.size() >= begin, DataError, "{}: the file ends inside its header", path);
  std::memcpy(&header_bytes, bytes.data() + kPrefix, size_bytes);
  LONGCONV_CHECK(header_bytes <= text.size() - begin, DataError,
                 "{}: the header claims {} bytes, but {} follow; truncated?", path, header_bytes,
                 text.size() - begin);
  HeaderReader header(text.substr(begin, header_bytes), path);
  header.read();

  TensorView view;
  view.dtype = dtype_of(header.descr, path);
  view.shape = std::move(header.shape);
  view.data = bytes.subspan(begin + header_bytes);
  LONGCONV_CHECK(!header.fortran_order || view.shape.size() <= 1, DataError,
                 "{}: expected C order, got Fortran order; save numpy.ascontiguousarray(x)", path);
  const std::optional<std::int64_t> count = element_count(view.shape);
  std::uint64_t want = 0;
  LONGCONV_CHECK(
      count &&
          !__builtin_mul_overflow(static_cast<std::uint64_t>(*count), size_of(view.dtype), &want),
      DataError, "{}: shape {} has more elements than memory", path, shape_words(view.shape));
  LONGCONV_CHECK(want == view.data.size(), DataError,
                 "{}: {} {} needs {} bytes from byte {} on, the file has {}", path,
                 shape_words(view.shape), name(view.dtype), want, begin + header_bytes,
                 view.data.size());
  return view;
}

std::string npy_header(Dtype dtype, std::span<const std::int64_t> shape, const std::string& path) {
  const auto* const row = std::find_if(std::begin(kDescrs), std::end(kDescrs),
                                       [&](const Descr& d) { return d.dtype == dtype; });
  LONGCONV_CHECK(row != std::end(kDescrs), DataError,
                 "{}: .npy has no {}; convert to float32 first", path, name(dtype));
  std::string words = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (", row->word);
  for (const std::int64_t dimension : shape) words += fmt::format("{}, ", dimension);
  // (3, 4) but (3,): only a tuple of one keeps its comma, as NumPy writes it.
  if (shape.size() > 1) words.resize(words.size() - 2);
  if (shape.size() == 1) words.resize(words.size() - 1);
  words += "), }";
  const std::size_t unpadded = kPrefix + 2 + words.size() + 1;
  words.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  words += '\n';
  LONGCONV_CHECK(words.size() <= 0xFFFF, DataError, "{}: {} dimensions are too many for .npy", path,
                 shape.size());
  const auto word_bytes = static_cast<std::uint16_t>(words.size());
  std::string header(kMagic);
  header += std::string_view("\x01\x00", 2);
  header.append(reinterpret_cast<const char*>(&word_bytes), sizeof word_bytes);
  return header + words;
}

void write_npy(const std::filesystem::path& path, const TensorView& tensor) {
  const std::string header = npy_header(tensor.dtype, tensor.shape, path.string());
  const std::optional<std::int64_t> count = element_count(tensor.shape);
  LONGCONV_CHECK(
      count && static_cast<std::uint64_t>(*count) * size_of(tensor.dtype) == tensor.data.size(),
      ShapeError, "{}: {} {} does not fit its {} bytes", path.string(), shape_words(tensor.shape),
      name(tensor.dtype), tensor.data.size());
  AtomicFile file(path);
  file.write(header);
  file.write(tensor.data);
  file.commit();
}

}  // namespace longconv::files
