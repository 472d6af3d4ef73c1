#include "core/files/npy.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace longconv::files {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// A .npy file of the given version around `header` as it stands, then `data`.
std::string npy(int version, const std::string& header, const std::string& data) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  const auto size = static_cast<std::uint32_t>(header.size());
  text.append(reinterpret_cast<const char*>(&size), version == 1 ? 2 : 4);
  return text + header + data;
}

std::string error_of(const std::string& file) {
  return message_of<DataError>([&] { static_cast<void>(parse_npy(bytes_of(file), "x.npy")); });
}

std::string error_of_header(const std::string& header) {
  return error_of(npy(1, header, std::string(24, '\0')));
}

const std::string kHeader = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";

TEST(Npy, ReadsVersionsOneToThree) {
  for (const int version : {1, 2, 3}) {
    const std::string file = npy(version, kHeader, std::string(24, 'd'));
    const TensorView view = parse_npy(bytes_of(file), "x.npy");
    EXPECT_EQ(view.dtype, Dtype::f32);
    EXPECT_EQ(view.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(view.data.size(), 24U);
    EXPECT_EQ(view.data.front(), std::byte{'d'});
  }
}

TEST(Npy, ReadsWhatOtherWritersWrite) {
  struct Row {
    const char* header;
    std::vector<std::int64_t> shape;
    std::size_t bytes;
  };
  const std::vector<Row> rows = {
      {"{'descr':'|u1','fortran_order':False,'shape':()}", {}, 1},
      {"{\"shape\": (5,), \"fortran_order\": True, \"descr\": \"<i1\"}", {5}, 5},
      {"{'descr': '|b1', 'fortran_order': False, 'shape': (2L, 1L), }   \n", {2, 1}, 2},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9)}", {0, 9}, 0},
  };
  for (const Row& row : rows) {
    const std::string file = npy(1, row.header, std::string(row.bytes, '\1'));
    const TensorView view = parse_npy(bytes_of(file), "x.npy");
    EXPECT_EQ(view.shape, row.shape) << row.header;
    EXPECT_EQ(view.data.size(), row.bytes) << row.header;
  }
}

TEST(Npy, WritesWhatNumpyWrites) {
  const testing::TempFolder folder;
  const std::array<float, 3> data = {1.0F, -2.5F, 3.0F};
  write_npy(folder / "a.npy", {"", Dtype::f32, {3}, std::as_bytes(std::span(data))});
  const std::string file = read_text(folder / "a.npy");
  // numpy.save(f, numpy.array([1, -2.5, 3], "<f4")): 128 bytes of header, then the values
  const std::string start(
      "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, "
      "'shape': (3,), }",
      67);
  ASSERT_EQ(file.size() % 64, 12U);
  EXPECT_EQ(file.substr(10, 57), start.substr(10));
  EXPECT_EQ(file[file.size() - 13], '\n');
  const std::string values(reinterpret_cast<const char*>(data.data()), sizeof(data));
  EXPECT_EQ(file.substr(file.size() - 12), values);
}

TEST(Npy, EveryDtypeAndRankSurvivesTheRoundTrip) {
  const testing::TempFolder folder;
  const std::vector<std::byte> data(24 * 8, std::byte{1});
  const std::filesystem::path path = folder / "a.npy";
  for (const Dtype dtype : {Dtype::f64, Dtype::f32, Dtype::f16, Dtype::i64, Dtype::i32, Dtype::i16,
                            Dtype::i8, Dtype::u8, Dtype::boolean}) {
    for (const std::vector<std::int64_t>& shape :
         std::vector<std::vector<std::int64_t>>{{}, {24}, {4, 6}, {2, 3, 4}, {0}, {3, 0, 2}}) {
      const auto count = static_cast<std::size_t>(*element_count(shape));
      const TensorView tensor{"", dtype, shape, std::span(data).first(count * size_of(dtype))};
      write_npy(path, tensor);
      const MappedFile file(path);
      const TensorView back = parse_npy(file.bytes(), path.string());
      EXPECT_EQ(back.dtype, dtype);
      EXPECT_EQ(back.shape, shape);
      EXPECT_EQ(back.data.size(), tensor.data.size());
      EXPECT_EQ((back.data.data() - file.bytes().data()) % 64, 0);
    }
  }
}

TEST(Npy, WhatTheFormatCannotHoldIsNotWritten) {
  const testing::TempFolder folder;
  const std::array<std::byte, 4> data{};
  EXPECT_THAT(message_of<DataError>([&] {
                write_npy(folder / "a.npy", {"", Dtype::bf16, {2}, data});
              }),
              HasSubstr("a.npy: .npy has no bf16"));
  EXPECT_THROW(write_npy(folder / "a.npy", {"", Dtype::f32, {2}, data}), ShapeError);
  EXPECT_THROW(write_npy(folder / "a.npy", {"", Dtype::f32, {-1}, data}), ShapeError);
  EXPECT_THROW(write_npy(folder / "a.npy",
                         {"", Dtype::u8, std::vector<std::int64_t>(40'000, 1), {data.data(), 1}}),
               DataError);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(NpyErrors, ForeignAndTruncatedFiles) {
  EXPECT_THAT(error_of(""), HasSubstr("x.npy: expected a .npy file"));
  EXPECT_THAT(error_of("PK\3\4 and so on"), HasSubstr("x.npy: expected a .npy file"));
  EXPECT_THAT(error_of(npy(4, kHeader, "")), HasSubstr("version 1, 2 or 3, got 4.0"));
  EXPECT_THAT(error_of(npy(0, kHeader, "")), HasSubstr("got 0.0"));
  const std::string whole = npy(1, kHeader, std::string(24, '\0'));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THAT(error_of(whole.substr(0, size)), HasSubstr("x.npy: ")) << size;
  }
  EXPECT_EQ(error_of(whole.substr(0, whole.size() - 1)),
            "x.npy: [2, 3] float32 needs 24 bytes from byte 70 on, the file has 23");
  EXPECT_THAT(error_of(whole + "x"), HasSubstr("the file has 25"));
  EXPECT_THAT(error_of(npy(2, kHeader, "").replace(8, 4, "\xff\xff\xff\xff")),
              HasSubstr("the header claims 4294967295 bytes"));
}

TEST(NpyErrors, BadHeaders) {
  const auto with = [](const std::string& descr, const std::string& order,
                       const std::string& shape) {
    return error_of_header("{'descr': " + descr + ", 'fortran_order': " + order +
                           ", 'shape': " + shape + "}");
  };
  EXPECT_THAT(with("'>f4'", "False", "(6,)"), HasSubstr("\">f4\" (big-endian)"));
  EXPECT_THAT(with("'<c8'", "False", "(3,)"), HasSubstr("got \"<c8\""));
  EXPECT_THAT(with("'|O'", "False", "(3,)"), HasSubstr("got \"|O\""));
  EXPECT_THAT(with("[('a', '<f4')]", "False", "(6,)"), HasSubstr("one dtype"));
  EXPECT_THAT(with("'<f4'", "True", "(2, 3)"), HasSubstr("C order"));
  EXPECT_THAT(with("'<f4'", "Maybe", "(6,)"), HasSubstr("True or False"));
  EXPECT_THAT(with("'<f4'", "False", "(-6,)"), HasSubstr("a dimension from 0"));
  EXPECT_THAT(with("'<f4'", "False", "(6.0,)"), HasSubstr("expected ','"));
  EXPECT_THAT(with("'<f4'", "False", "(99999999999999999999,)"), HasSubstr("a dimension from 0"));
  EXPECT_THAT(with("'<f4'", "False", "(4611686018427387904, 4)"), HasSubstr("more elements"));
  EXPECT_THAT(with("'<f4'", "False", "(9223372036854775807,)"), HasSubstr("more elements"));
  EXPECT_THAT(with("'<f4'", "False", "[6]"), HasSubstr("expected '('"));
  EXPECT_THAT(with("'<f4'", "False", "(6"), HasSubstr("expected ','"));
  EXPECT_THAT(with("'<f4", "False", "(6,)"), HasSubstr("x.npy: header byte"));
  EXPECT_EQ(error_of_header("{'descr': '<f4', 'shape': (6,)}"),
            "x.npy: header: expected descr, fortran_order and shape");
  EXPECT_THAT(error_of_header("{'descr': '<f4', 'descr': '<f4'}"), HasSubstr("comes twice"));
  EXPECT_THAT(error_of_header("{'more': 1}"), HasSubstr("as the key"));
  EXPECT_THAT(error_of_header("__import__('os')"), HasSubstr("header byte 0: expected '{'"));
  EXPECT_THAT(error_of_header("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x"),
              HasSubstr("nothing after the closing brace"));
  EXPECT_THAT(error_of_header(""), HasSubstr("header byte 0"));
}

}  // namespace
}  // namespace longconv::files
