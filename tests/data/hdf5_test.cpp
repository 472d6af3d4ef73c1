#include "core/files/npy.h"
#include "data/formats/hdf5_series.h"
#include "data/formats/hdf5_tokens.h"
#include "data/tasks/convert.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <hdf5.h>

#include <functional>
#include <numeric>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path write_shard(const std::filesystem::path& path, std::int64_t vocab_size) {
  files::Digest digest{};
  std::iota(digest.begin(), digest.end(), std::uint8_t{200});
  TokenShardWriter writer(path, vocab_size, 3, digest);
  writer.add_document(std::vector<std::int32_t>{10, 11, 3});
  writer.add_document({});
  std::vector<std::int32_t> many(5000);
  for (std::size_t i = 0; i < many.size(); ++i) {
    many[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i * 31) % vocab_size);
  }
  writer.add_document(many);
  writer.finish();
  return path;
}

TEST(Hdf5Tokens, GoBothWaysByteForByte) {
  const test::ScratchFolder folder;
  for (const std::int64_t vocab_size : {100, 100'000}) {
    const auto shard = write_shard(folder / "a.lct", vocab_size);
    convert_data(shard.string(), folder / "a.h5", "");
    convert_data((folder / "a.h5").string(), folder / "b.lct", "");
    EXPECT_TRUE(test::slurp(folder / "b.lct") == test::slurp(shard)) << vocab_size;
    EXPECT_TRUE(test::slurp(folder / "b.idx") == test::slurp(folder / "a.idx")) << vocab_size;
  }
}

/// Calls `edit` with the open container.
void edit_file(const std::filesystem::path& path, const std::function<void(hid_t)>& edit) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  edit(file);
  H5Fclose(file);
}

void write_text_attribute(hid_t file, const char* name, const std::string& value) {
  H5Adelete(file, name);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  const char* text = value.c_str();
  EXPECT_GE(H5Awrite(attribute, type, &text), 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

/// A dataset of `dims` in chunks, with nothing stored in it.
void create_hollow(hid_t file, const char* name, std::vector<hsize_t> dims, hid_t type) {
  H5Ldelete(file, name, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  const std::vector<hsize_t> chunk(dims.size(), 16);
  H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data());
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
  EXPECT_GE(set, 0);
  H5Dclose(set);
  H5Pclose(plist);
  H5Sclose(space);
}

TEST(Hdf5Tokens, TheHashMayBeAVariableLengthString) {
  const test::ScratchFolder folder;
  shard_to_hdf5(TokenShard(write_shard(folder / "a.lct", 100)), folder / "a.h5");
  edit_file(folder / "a.h5", [](hid_t file) {
    write_text_attribute(file, "tokenizer_sha256", std::string(62, '0') + "aB");
  });
  EXPECT_EQ(Hdf5Tokens(folder / "a.h5").header().tokenizer.back(), 0xAB);
}

TEST(Hdf5Tokens, LyingContainersAreRefused) {
  const test::ScratchFolder folder;
  const TokenShard shard(write_shard(folder / "a.lct", 100));
  const auto message = [&](const std::function<void(hid_t)>& edit) {
    shard_to_hdf5(shard, folder / "bad.h5");
    edit_file(folder / "bad.h5", edit);
    std::string text =
        message_of<DataError>([&] { hdf5_to_shard(folder / "bad.h5", folder / "out.lct"); });
    EXPECT_THAT(text, HasSubstr((folder / "bad.h5").string()));
    EXPECT_FALSE(std::filesystem::exists(folder / "out.lct"));
    return text;
  };
  // Eight exabytes promised, none stored: refused before anything is allocated.
  EXPECT_THAT(
      message([](hid_t file) { create_hollow(file, "tokens", {hsize_t{1} << 62}, H5T_STD_U16LE); }),
      HasSubstr("/tokens"));
  EXPECT_THAT(
      message([](hid_t file) { create_hollow(file, "tokens", {1'000'000'000}, H5T_STD_U16LE); }),
      HasSubstr("promises 1000000000 elements of 2 bytes"));
  EXPECT_THAT(message([](hid_t file) {
                create_hollow(file, "doc_offsets", {1'000'000'000}, H5T_STD_U64LE);
              }),
              HasSubstr("/doc_offsets: promises"));
  EXPECT_THAT(message([](hid_t file) {
                create_hollow(file, "tokens", {16, 16}, H5T_STD_U16LE);
              }),
              HasSubstr("expected 1 dimensions"));
  EXPECT_THAT(message([](hid_t file) { H5Ldelete(file, "tokens", H5P_DEFAULT); }),
              HasSubstr("no such dataset"));
  EXPECT_THAT(message([](hid_t file) { H5Adelete(file, "vocab_size"); }),
              HasSubstr("no attribute vocab_size"));
  EXPECT_THAT(message([](hid_t file) { write_text_attribute(file, "tokenizer_sha256", "abc"); }),
              HasSubstr("expected 64 hexadecimal digits, got \"abc\""));
  EXPECT_THAT(message([](hid_t file) {
                const hid_t set = H5Dopen2(file, "doc_offsets", H5P_DEFAULT);
                const std::uint64_t starts[] = {0, 6000, 3};
                H5Dwrite(set, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, starts);
                H5Dclose(set);
              }),
              HasSubstr("document 1 starts at token 6000, expected 0 to 5003"));
  EXPECT_THAT(message([](hid_t file) {
                const hid_t set = H5Dopen2(file, "tokens", H5P_DEFAULT);
                std::vector<std::uint16_t> ids(5003, 7);
                ids[4000] = 100;
                H5Dwrite(set, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, ids.data());
                H5Dclose(set);
              }),
              HasSubstr("token 100 at position 4000, but the tokenizer has 100 ids"));

  const std::string whole = test::slurp(folder / "bad.h5");
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, whole.size() / 2}) {
    test::put(folder / "cut.h5", whole.substr(0, size));
    EXPECT_THAT(message_of<DataError>([&] { const Hdf5Tokens tokens(folder / "cut.h5"); }),
                HasSubstr("not a readable HDF5 file"));
  }
}

Series small_series() {
  Series series{2, 3, 2, {}, {1, 1, 0, 1, 1, 1}, {4, -1}};
  for (int i = 0; i < 12; ++i) series.values.push_back(0.5F * static_cast<float>(i) - 1.0F);
  return series;
}

TEST(Hdf5Series, ComeBackAsTheyWere) {
  const test::ScratchFolder folder;
  const Series wrote = small_series();
  write_series(folder / "s.h5", wrote);
  EXPECT_TRUE(is_series(folder / "s.h5"));
  const Series read = read_series(folder / "s.h5");
  EXPECT_EQ(read.subjects, 2);
  EXPECT_EQ(read.length, 3);
  EXPECT_EQ(read.channels, 2);
  EXPECT_EQ(read.values, wrote.values);
  EXPECT_EQ(read.mask, wrote.mask);
  EXPECT_EQ(read.labels, wrote.labels);

  edit_file(folder / "s.h5", [](hid_t file) {
    H5Ldelete(file, "mask", H5P_DEFAULT);
    H5Ldelete(file, "labels", H5P_DEFAULT);
  });
  const Series bare = read_series(folder / "s.h5");
  EXPECT_EQ(bare.mask, std::vector<std::uint8_t>(6, 1));
  EXPECT_TRUE(bare.labels.empty());
}

TEST(Hdf5Series, ThatDoNotFitTogetherAreRefused) {
  const test::ScratchFolder folder;
  const auto path = folder / "s.h5";
  const auto message = [&](const std::function<void(hid_t)>& edit) {
    write_series(path, small_series());
    edit_file(path, edit);
    return message_of<DataError>([&] { read_series(path); });
  };
  EXPECT_THAT(message([](hid_t file) {
                const std::uint8_t mask[] = {1, 1, 1, 1, 2, 1};
                const hid_t set = H5Dopen2(file, "mask", H5P_DEFAULT);
                H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, mask);
                H5Dclose(set);
              }),
              HasSubstr("/mask: value 2 at [1, 1], expected 0 or 1"));
  EXPECT_THAT(message([](hid_t file) {
                create_hollow(file, "series", {1 << 20, 1 << 20, 1 << 20}, H5T_IEEE_F32LE);
              }),
              HasSubstr("/series: promises"));
  EXPECT_THAT(
      message([](hid_t file) {
        create_hollow(file, "series", {hsize_t{1} << 40, hsize_t{1} << 22, 64}, H5T_IEEE_F32LE);
      }),
      HasSubstr("/series"));
  Series wrong = small_series();
  wrong.mask.pop_back();
  EXPECT_THAT(message_of<DataError>([&] { write_series(folder / "w.h5", wrong); }),
              HasSubstr("5 mask entries"));
  EXPECT_FALSE(std::filesystem::exists(folder / "w.h5"));
}

TEST(Hdf5Series, GoToNpyAndBack) {
  const test::ScratchFolder folder;
  const std::vector<float> values{1.5F, -2.0F, 3.25F, 0.0F, 5.0F, 6.0F};
  files::write_npy(folder / "a.npy", {"", Dtype::f32, {3, 2}, std::as_bytes(std::span(values))});
  EXPECT_THAT(convert_data((folder / "a.npy").string(), folder / "a.h5", "").shape,
              ElementsAre(1, 3, 2));
  EXPECT_EQ(read_series(folder / "a.h5").values, values);
  convert_data((folder / "a.h5").string(), folder / "b.npy", "");
  const files::MappedFile back(folder / "b.npy");
  const files::TensorView array = files::parse_npy(back.bytes(), "b.npy");
  EXPECT_THAT(array.shape, ElementsAre(1, 3, 2));
  EXPECT_EQ(std::memcmp(array.data.data(), values.data(), array.data.size()), 0);

  const std::vector<double> doubles{0.1, 0.2};
  files::write_npy(folder / "d.npy",
                   {"", Dtype::f64, {1, 1, 2}, std::as_bytes(std::span(doubles))});
  convert_data((folder / "d.npy").string(), folder / "d.h5", "");
  EXPECT_EQ(read_series(folder / "d.h5").values, (std::vector<float>{0.1F, 0.2F}));
  const std::vector<std::int64_t> integers{1, 2};
  files::write_npy(folder / "i.npy", {"", Dtype::i64, {1, 2}, std::as_bytes(std::span(integers))});
  EXPECT_THAT(message_of<DataError>(
                  [&] { convert_data((folder / "i.npy").string(), folder / "i.h5", ""); }),
              HasSubstr("a series has float32"));
}

}  // namespace
}  // namespace longconv::data
