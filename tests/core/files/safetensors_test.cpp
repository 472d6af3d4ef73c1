#include "core/files/safetensors.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace longconv::files {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TempFolder;

std::string prefix(std::uint64_t header_bytes) {
  return {reinterpret_cast<const char*>(&header_bytes), sizeof(header_bytes)};
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return prefix(header.size()) + header + std::string(data_bytes, '\x11');
}

SafetensorsHeader parsed(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "m.st");
}

std::string error_of(const std::string& header, std::size_t data_bytes) {
  const std::string file = file_of(header, data_bytes);
  return message_of<CheckpointError>([&] { static_cast<void>(parsed(file)); });
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, ReadsAPublishedLayout) {
  const std::string file =
      file_of(R"({"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
              R"("__metadata__":{"format":"pt","x":"\u00e9"},)"
              R"("a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"},)"
              R"("empty":{"dtype":"I64","shape":[0,5],"data_offsets":[16,16]}}   )",
              16);
  const SafetensorsHeader header = parsed(file);
  ASSERT_EQ(header.tensors.size(), 3U);
  EXPECT_EQ(header.metadata,
            (std::map<std::string, std::string>{{"format", "pt"}, {"x", "\xc3\xa9"}}));
  const TensorView& a = header.tensors.at("a");
  EXPECT_EQ(a.dtype, Dtype::f32);
  EXPECT_TRUE(a.shape.empty());
  EXPECT_EQ(a.data.size(), 4U);
  const TensorView& b = header.tensors.at("b");
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(b.data.data(), a.data.data() + 4);
  EXPECT_TRUE(header.tensors.at("empty").data.empty());
}

TEST(Safetensors, AFileWithoutTensorsIsAFile) {
  EXPECT_TRUE(parsed(file_of("{}", 0)).tensors.empty());
}

TEST(Safetensors, EveryDtypeSurvivesTheRoundTripInTheGivenOrder) {
  const TempFolder folder;
  std::vector<std::byte> data(1000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = std::byte(i % 251);
  std::vector<TensorView> tensors;
  std::size_t at = 0;
  for (const Dtype dtype : {Dtype::u8, Dtype::f64, Dtype::f32, Dtype::bf16, Dtype::f16, Dtype::i64,
                            Dtype::i32, Dtype::i16, Dtype::i8, Dtype::boolean}) {
    const std::size_t bytes = 6 * size_of(dtype);
    tensors.push_back(
        {"z\"\n" + std::string(name(dtype)), dtype, {3, 2}, std::span(data).subspan(at, bytes)});
    at += bytes;
  }
  tensors.push_back({"scalar", Dtype::f32, {}, std::span(data).first(4)});
  tensors.push_back({"empty", Dtype::f32, {4, 0}, {}});
  write_safetensors(folder / "m.safetensors", tensors, {{"k\t", "v\xc3\xa9"}});

  const SafetensorsFile file(folder / "m.safetensors");
  EXPECT_EQ(file.metadata().at("k\t"), "v\xc3\xa9");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  const std::byte* expected = file.tensors().at(tensors[0].name).data.data();
  for (const TensorView& want : tensors) {
    const TensorView& got = file.tensors().at(want.name);
    EXPECT_EQ(got.dtype, want.dtype);
    EXPECT_EQ(got.shape, want.shape);
    ASSERT_EQ(got.data.size(), want.data.size());
    EXPECT_EQ(got.data.data(), expected) << "tensors lie in the given order, back to back";
    expected += got.data.size();
    if (!want.data.empty()) {
      EXPECT_EQ(std::memcmp(got.data.data(), want.data.data(), want.data.size()), 0);
    }
  }
}

TEST(Safetensors, DataBeginAtAMultipleOfEightBytes) {
  const TempFolder folder;
  const std::array<std::byte, 4> data{};
  for (std::size_t length = 1; length < 12; ++length) {
    const std::string path = folder / "m.safetensors";
    write_safetensors(path, {{std::string(length, 'n'), Dtype::f32, {1}, data}});
    EXPECT_EQ((read_text(path).size() - 4) % 8, 0U) << length;
  }
}

TEST(Safetensors, WhatIsNoTensorIsNotWritten) {
  const TempFolder folder;
  const std::array<std::byte, 8> data{};
  const auto write = [&](const std::vector<TensorView>& tensors) {
    write_safetensors(folder / "m.safetensors", tensors);
  };
  const TensorView good{"a", Dtype::f32, {2}, data};
  EXPECT_THAT(message_of<ShapeError>([&] {
                write({good, good});
              }),
              HasSubstr("two tensors are called a"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                write({{"a", Dtype::f32, {3}, data}});
              }),
              HasSubstr("tensor a: [3] float32 does not fit its 8 bytes"));
  EXPECT_THROW(write({{"a", Dtype::f32, {-2}, data}}), ShapeError);
  EXPECT_THROW(write({{"__metadata__", Dtype::f32, {2}, data}}), ShapeError);
  EXPECT_THROW(write({{"\xff", Dtype::f32, {2}, data}}), ShapeError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Safetensors, UnwritablePlacesAreEnvironmentErrors) {
  const TempFolder folder;
  EXPECT_THAT(message_of<EnvironmentError>([&] { write_safetensors(folder / "none/m.st", {}); }),
              HasSubstr("none/m.st: cannot write: No such file or directory"));
}

TEST(SafetensorsErrors, AMissingFileIsACheckpointError) {
  const TempFolder folder;
  const std::string path = folder / "none.safetensors";
  EXPECT_EQ(message_of<CheckpointError>([&] { SafetensorsFile file(path); }),
            path + ": cannot open: No such file or directory");
}

TEST(SafetensorsErrors, TruncatedAtEveryByte) {
  const std::string whole = file_of("{\"a\":" + entry("F32", "[2]", "[0,8]") + "}", 8);
  EXPECT_EQ(parsed(whole).tensors.size(), 1U);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string part = whole.substr(0, size);
    EXPECT_THAT(message_of<CheckpointError>([&] { static_cast<void>(parsed(part)); }),
                HasSubstr("m.st: "))
        << size;
  }
}

TEST(SafetensorsErrors, HugeHeaders) {
  for (const std::uint64_t claim :
       {std::uint64_t{3}, std::uint64_t{100'000'001}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    const std::string file = prefix(claim) + "{}";
    EXPECT_THAT(message_of<CheckpointError>([&] { static_cast<void>(parsed(file)); }),
                HasSubstr("m.st: the header claims " + std::to_string(claim) + " bytes, but 2"));
  }
}

struct Lie {
  const char* name;
  std::string header;
  std::size_t data_bytes;
  const char* message;  // the whole of it
};

std::ostream& operator<<(std::ostream& out, const Lie& lie) { return out << lie.name; }

class SafetensorsLies : public ::testing::TestWithParam<Lie> {};

TEST_P(SafetensorsLies, AreNamedWithTheTensor) {
  EXPECT_EQ(error_of(GetParam().header, GetParam().data_bytes), GetParam().message);
}

std::string one(const std::string& value) { return "{\"a\":" + value + "}"; }

std::string two(const std::string& first, const std::string& second) {
  return "{\"a\":" + entry("F32", "[2]", first) + ",\"b\":" + entry("F32", "[2]", second) + "}";
}

std::vector<Lie> lies() {
  return {
      {"overlap", two("[0,8]", "[4,12]"), 12,
       "m.st: tensor b: data begin at byte 4, expected 8 (it overlaps another tensor)"},
      {"same_bytes_twice", two("[0,8]", "[0,8]"), 8,
       "m.st: tensor b: data begin at byte 0, expected 8 (it overlaps another tensor)"},
      {"gap", two("[0,8]", "[12,20]"), 20,
       "m.st: tensor b: data begin at byte 12, expected 8 (a gap that belongs to no tensor)"},
      {"gap_at_the_begin", one(entry("F32", "[1]", "[4,8]")), 8,
       "m.st: tensor a: data begin at byte 4, expected 0 (a gap that belongs to no tensor)"},
      {"bytes_behind_the_last", one(entry("F32", "[1]", "[0,4]")), 5,
       "m.st: the tensors end at data byte 4, the file has 5: bytes that belong to no tensor"},
      {"out_of_range", one(entry("F32", "[2]", "[0,8]")), 4,
       "m.st: tensor a: data_offsets [0, 8] lie outside the 4 data bytes of the file; is it "
       "truncated?"},
      {"backwards", one(entry("F32", "[1]", "[8,4]")), 8,
       "m.st: tensor a: data_offsets [8, 4] lie outside the 8 data bytes of the file; is it "
       "truncated?"},
      {"offset_near_the_end_of_numbers",
       one(entry("F32", "[1]", "[18446744073709551612,18446744073709551615]")), 8,
       "m.st: tensor a: data_offsets [18446744073709551612, 18446744073709551615] lie outside the "
       "8 data bytes of the file; is it truncated?"},
      {"wrong_dtype_size", one(entry("F64", "[2]", "[0,8]")), 8,
       "m.st: tensor a: [2] F64 needs 16 bytes, data_offsets [0, 8] give 8"},
      {"unknown_dtype", one(entry("F8_E4M3", "[8]", "[0,8]")), 8,
       "m.st: tensor a: dtype \"F8_E4M3\" is not one of F64, F32, BF16, F16, I64, I32, I16, I8, "
       "U8, BOOL"},
      {"negative_dimension", one(entry("F32", "[-2]", "[0,8]")), 8,
       "m.st: tensor a: expected shape: integers >= 0, got -2"},
      {"fractional_dimension", one(entry("F32", "[2.0]", "[0,8]")), 8,
       "m.st: tensor a: expected shape: integers >= 0, got 2.0"},
      {"dimension_over_int64", one(entry("U8", "[9223372036854775808]", "[0,8]")), 8,
       "m.st: tensor a: shape: dimension 9223372036854775808 is larger than any memory"},
      {"elements_overflow", one(entry("U8", "[4294967296,4294967296]", "[0,0]")), 0,
       "m.st: tensor a: shape [4294967296, 4294967296] has more elements than memory"},
      {"bytes_overflow", one(entry("F64", "[4611686018427387904]", "[0,0]")), 0,
       "m.st: tensor a: shape [4611686018427387904] has more elements than memory"},
      {"duplicate_name",
       "{\"a\":" + entry("U8", "[1]", "[0,1]") + ",\"a\":" + entry("U8", "[1]", "[0,1]") + "}", 1,
       "m.st: tensor a: the name comes twice"},
      {"duplicate_key", R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1,
       "m.st: tensor a: key \"dtype\" comes twice"},
      {"duplicate_metadata", R"({"__metadata__":{},"__metadata__":{}})", 0,
       "m.st: tensor __metadata__: __metadata__ comes twice"},
      {"duplicate_metadata_key", R"({"__metadata__":{"a":"1","a":"2"}})", 0,
       "m.st: tensor __metadata__: key \"a\" comes twice"},
      {"metadata_of_numbers", R"({"__metadata__":{"a":1}})", 0,
       "m.st: tensor __metadata__: expected a string for every key, got 1"},
      {"unknown_key", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]}})", 1,
       "m.st: tensor a: unknown key \"strides\"; expected dtype, shape, data_offsets"},
      {"missing_key", R"({"a":{"dtype":"U8","shape":[1]}})", 1,
       "m.st: tensor a: data_offsets is missing"},
      {"three_offsets", one(entry("U8", "[1]", "[0,1,2]")), 1,
       "m.st: tensor a: data_offsets: expected [begin, end], got 3 numbers"},
      {"one_offset", one(entry("U8", "[1]", "[0]")), 1,
       "m.st: tensor a: data_offsets: expected [begin, end], got 1 numbers"},
      {"nested_shape", one(entry("U8", "[[1]]", "[0,1]")), 1,
       "m.st: tensor a: expected shape: integers >= 0, got an array"},
      {"shape_of_null", one(entry("U8", "null", "[0,1]")), 1,
       "m.st: tensor a: expected shape: an array of integers >= 0, got null"},
      {"tensor_of_number", one("3"), 0,
       "m.st: tensor a: expected an object with dtype, shape and data_offsets, got 3"},
      {"array_at_the_top", "[]", 0, "m.st: header: expected an object of tensors, got an array"},
      {"string_at_the_top", "\"a\"", 0,
       "m.st: header: expected an object of tensors, got a string"},
  };
}

INSTANTIATE_TEST_SUITE_P(EveryKind, SafetensorsLies, ::testing::ValuesIn(lies()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(SafetensorsErrors, TextThatIsNoJson) {
  for (const char* header :
       {"", " ", "{", "{\"a\"", "{}{}", "{} x", "nul", "{\"\xff\":1}", "{a:1}"}) {
    EXPECT_THAT(error_of(header, 0), HasSubstr("m.st: header byte ")) << header;
  }
}

TEST(SafetensorsErrors, DepthCostsNothing) {
  EXPECT_THAT(error_of(std::string(1'000'000, '['), 0), HasSubstr("got an array"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(error_of(objects, 0), HasSubstr("tensor a: unknown key \"a\""));
}

TEST(ElementCount, CountsAndRefusesWhatMemoryCannotHold) {
  EXPECT_EQ(element_count(std::vector<std::int64_t>{}), 1);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{2, 3}), 6);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{INT64_MAX, INT64_MAX, 0}), 0);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{INT64_MAX, 2}), std::nullopt);
  EXPECT_EQ(element_count(std::vector<std::int64_t>{0, -1}), std::nullopt);
  EXPECT_EQ(shape_words(std::vector<std::int64_t>{2, 3}), "[2, 3]");
  EXPECT_EQ(shape_words(std::vector<std::int64_t>(1000, 1)).size(), 53U) << "cut, not endless";
}

}  // namespace
}  // namespace longconv::files
