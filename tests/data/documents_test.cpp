#include "data/formats/documents.h"

#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

namespace longconv::data {
namespace {

using namespace std::string_literals;
using test::message_of;
using test::put;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> read_all(DocumentReader& reader) {
  std::vector<std::string> out;
  for (std::string text; reader.next(text);) out.push_back(text);
  return out;
}

std::vector<std::string> read_file(const std::filesystem::path& path) {
  DocumentReader reader(path, *document_format(path));
  return read_all(reader);
}

std::string zstd_frame(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  if (window_log > 0) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  }
  std::string out(ZSTD_compressBound(text.size()), '\0');
  // Streaming, so that the frame does not carry its size: as `zstd < file > file.zst` writes it.
  ZSTD_inBuffer input{text.data(), text.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  EXPECT_EQ(ZSTD_compressStream2(context, &output, &input, ZSTD_e_end), 0U);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

std::string gzip_member(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Gives out a few bytes at a time, as a pipe may.
class Trickle final : public ByteSource {
 public:
  Trickle(std::string text, std::size_t step) : text_(std::move(text)), step_(step) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t length = std::min({step_, out.size(), text_.size() - at_});
    std::memcpy(out.data(), text_.data() + at_, length);
    at_ += length;
    return length;
  }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  std::string text_;
  std::size_t step_;
  std::size_t at_ = 0;
  std::string name_ = "trickle";
};

TEST(Documents, ATextFileIsOneDocumentByteForByte) {
  const test::ScratchFolder folder;
  const std::string text = "\xEF\xBB\xBFone\r\n\n\ttwo \u2028 \U0001F600\0three"s;
  EXPECT_THAT(read_file(put(folder / "a.txt", text)), ElementsAre(text));
  EXPECT_THAT(read_file(put(folder / "empty.txt", "")), ElementsAre(""));
}

TEST(Documents, TextThatIsNoUtf8IsRefusedWithLineAndByte) {
  const test::ScratchFolder folder;
  const auto path = put(folder / "latin1.txt", "one\ntwo\nna\xefve\n");
  EXPECT_THAT(message_of<DataError>([&] { read_file(path); }),
              HasSubstr(path.string() + ":3: byte 10 of the file (0xef) is not UTF-8"));
}

TEST(Documents, JsonLinesGiveTheirText) {
  const test::ScratchFolder folder;
  const std::string lines =
      "\xEF\xBB\xBF{\"text\": \"a\\nb\\u00e9\\ud83d\\ude00\", \"meta\": {\"text\": \"not "
      "this\"}}\r\n"
      "\n"
      "{\"meta\": {\"pile_set_name\": \"Pile-CC\", \"n\": [1, 2.5, null, true]}, \"text\": \"\"}\n"
      "{\"text\":\"caf\u00e9 \u2028 no line end here\"}";
  EXPECT_THAT(read_file(put(folder / "a.jsonl", lines)),
              ElementsAre("a\nb\u00e9\U0001F600", "", "caf\u00e9 \u2028 no line end here"));
  for (const std::size_t step : {1, 2, 3, 7}) {
    DocumentReader reader(std::make_unique<Trickle>(lines, step), DocumentFormat::jsonl);
    EXPECT_EQ(read_all(reader).size(), 3U) << step;
  }
}

TEST(Documents, LongLinesCrossEveryBuffer) {
  const test::ScratchFolder folder;
  const std::string big(3'000'001, 'x');
  const std::string lines = "{\"text\":\"" + big + "\"}\n{\"text\":\"after\"}\n";
  EXPECT_THAT(read_file(put(folder / "a.jsonl", lines)), ElementsAre(big, "after"));
}

TEST(Documents, BadLinesAreNamedWithFileAndLine) {
  const test::ScratchFolder folder;
  const auto message = [&](const std::string& line) {
    const auto path = put(folder / "bad.jsonl", "{\"text\": \"fine\"}\n\n" + line + "\n");
    const std::string text = message_of<DataError>([&] { read_file(path); });
    EXPECT_THAT(text, HasSubstr(path.string() + ":3: ")) << line;
    return text;
  };
  EXPECT_THAT(message("{\"txt\": \"x\"}"), HasSubstr("no key \"text\""));
  EXPECT_THAT(message("{\"meta\": {\"text\": \"x\"}}"), HasSubstr("no key \"text\""));
  EXPECT_THAT(message("{\"text\": 7}"), HasSubstr("must be a string, got a number"));
  EXPECT_THAT(message("{\"text\": null}"), HasSubstr("must be a string, got null"));
  EXPECT_THAT(message("{\"text\": [\"x\"]}"), HasSubstr("must be a string, got an array"));
  EXPECT_THAT(message("{\"text\": \"a\", \"text\": \"b\"}"), HasSubstr("twice"));
  EXPECT_THAT(message("[\"text\"]"), HasSubstr("expected a JSON object, got an array"));
  EXPECT_THAT(message("\"text\""), HasSubstr("expected a JSON object, got a string"));
  EXPECT_THAT(message("{\"text\": \"x\""), HasSubstr("bad JSON at byte"));
  EXPECT_THAT(message("{\"text\": \"x\"} more"), HasSubstr("bad JSON at byte 15"));
  EXPECT_THAT(message("{\"text\": \"\\ud800\"}"), HasSubstr("bad JSON"));
  EXPECT_THAT(message("{\"text\": \"na\xefve\"}"), HasSubstr("byte 12 of the line is not UTF-8"));
  EXPECT_THAT(message(std::string(100'000, '[')), HasSubstr("expected a JSON object"));
}

TEST(Documents, ZstdFramesFollowOneAnother) {
  const test::ScratchFolder folder;
  const std::string content = zstd_frame("{\"text\": \"one\"}\n{\"text\": \"tw") +
                              zstd_frame("o\"}\n") + zstd_frame("") +
                              zstd_frame("{\"text\": \"three\"}\n");
  EXPECT_THAT(read_file(put(folder / "a.jsonl.zst", content)), ElementsAre("one", "two", "three"));
  for (const std::size_t step : {1, 5}) {
    DocumentReader reader(std::make_unique<Trickle>(content, step), DocumentFormat::jsonl_zst);
    EXPECT_THAT(read_all(reader), ElementsAre("one", "two", "three")) << step;
  }
}

TEST(Documents, ZstdWindowsAboveTheUsualLimitAreRead) {
  const test::ScratchFolder folder;
  // The same 1 MiB at both ends of 10 MiB: a match farther back than the usual 8 MiB. The frame
  // asks for a window of 256 MiB, twice what the decoder allows by default.
  std::string text;
  std::uint32_t state = 1;
  while (text.size() < (std::size_t{10} << 20)) {
    state = state * 1664525 + 1013904223;
    text += static_cast<char>('a' + (state >> 24) % 26);
  }
  text += text.substr(0, std::size_t{1} << 20);
  const std::string frame = zstd_frame("{\"text\":\"" + text + "\"}\n", 28);
  const auto documents = read_file(put(folder / "a.jsonl.zst", frame));
  ASSERT_EQ(documents.size(), 1U);
  EXPECT_TRUE(documents.front() == text);
}

/// Some lines, packed by `pack`, cut and damaged in the ways both formats share; `words` are the
/// reader's for a cut. Returns what the message of other content is.
template <class Pack>
auto expect_damage_refused(const test::ScratchFolder& folder, const std::string& ending, Pack pack,
                           const std::string& words) {
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += "{\"text\": \"number " + std::to_string(i * i) + "\"}\n";
  const std::string whole = pack(lines);
  const auto message = [&folder, ending](const std::string& content) {
    const auto path = put(folder / ("bad.jsonl." + ending), content);
    const std::string text = message_of<DataError>([&] { read_file(path); });
    EXPECT_THAT(text, HasSubstr(path.string())) << content.size();
    return text;
  };
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{5}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_THAT(message(whole.substr(0, size)),
                HasSubstr(words + ", at byte " + std::to_string(size)));
  }
  EXPECT_THAT(message(whole + whole.substr(0, 9)), HasSubstr(words));
  return std::pair(whole, message);
}

TEST(Documents, TruncatedAndDamagedZstdIsRefusedWithItsOffset) {
  const test::ScratchFolder folder;
  const auto [whole, message] = expect_damage_refused(
      folder, "zst", [](const std::string& text) { return zstd_frame(text); },
      "in the middle of a frame");
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("plain text, not compressed"), HasSubstr("bad zstd data near byte"));
}

TEST(Documents, GzipMembersFollowOneAnother) {
  const test::ScratchFolder folder;
  const std::string content = gzip_member("{\"text\": \"one\"}\n{\"text\": \"tw") +
                              gzip_member("o\"}\n") + gzip_member("") +
                              gzip_member("{\"text\": \"three\"}\n");
  EXPECT_THAT(read_file(put(folder / "a.jsonl.gz", content)), ElementsAre("one", "two", "three"));
  EXPECT_THAT(read_file(put(folder / "c4-train.00000-of-01024.json.gz", content)),
              ElementsAre("one", "two", "three"));
  EXPECT_THAT(read_file(put(folder / "a.txt.gz", gzip_member("a text\n"))),
              ElementsAre("a text\n"));
  EXPECT_THAT(read_file(put(folder / "a.txt.zst", zstd_frame("a text\n"))),
              ElementsAre("a text\n"));
  for (const std::size_t step : {1, 5}) {
    DocumentReader reader(std::make_unique<Trickle>(content, step), DocumentFormat::jsonl_gz);
    EXPECT_THAT(read_all(reader), ElementsAre("one", "two", "three")) << step;
  }
}

TEST(Documents, TruncatedAndDamagedGzipIsRefusedWithItsOffset) {
  const test::ScratchFolder folder;
  const auto [whole, message] = expect_damage_refused(
      folder, "gz", [](const std::string& text) { return gzip_member(text); },
      "in the middle of a member");
  EXPECT_THAT(message(""), HasSubstr("empty, expected a gzip stream"));
  EXPECT_THAT(message("plain text, not compressed"), HasSubstr("bad gzip data near byte"));
  std::string flipped = whole;
  flipped[whole.size() - 6] ^= 1;  // of the CRC-32
  EXPECT_THAT(message(flipped), HasSubstr("incorrect data check"));
}

TEST(Documents, FoldersAreListedInOrder) {
  const test::ScratchFolder folder;
  put(folder / "b/2.txt", "x");
  put(folder / "b/1.jsonl", "x");
  put(folder / "a.jsonl.zst", "x");
  put(folder / "b/readme.md", "x");
  std::vector<std::filesystem::path> ignored;
  EXPECT_THAT(list_documents(folder.path(), ignored),
              ElementsAre(folder / "a.jsonl.zst", folder / "b/1.jsonl", folder / "b/2.txt"));
  EXPECT_THAT(ignored, ElementsAre(folder / "b/readme.md"));
  EXPECT_THAT(message_of<DataError>([&] { list_documents(folder / "none.txt", ignored); }),
              HasSubstr("none.txt: no such file or folder"));
  EXPECT_THAT(message_of<DataError>([&] { list_documents(folder / "b/readme.md", ignored); }),
              HasSubstr("expected a name ending in .txt"));
}

}  // namespace
}  // namespace longconv::data
