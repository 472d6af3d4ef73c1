// Our reader beside the library that wrote the file, over the ways there are to write one.
#include "data/formats/hdf5_reader.h"

#include "data/formats/hdf5_series.h"
#include "tests/data/helpers.h"

#include <gmock/gmock.h>
#include <hdf5.h>

#include <functional>
#include <numeric>

namespace longconv::data {
namespace {

using test::message_of;
using ::testing::HasSubstr;

/// How a dataset /series [3, 5, 7] and whole numbers /labels [3] are written.
struct Writing {
  const char* name;
  hid_t type = H5T_IEEE_F32LE;
  hid_t label_type = H5T_STD_I64LE;
  bool latest = false;              ///< the newest version of everything
  hsize_t user_block = 0;           ///< bytes before the file's own
  std::vector<hsize_t> chunk = {};  ///< none: in one piece
  bool shuffle = false;
  bool fletcher = false;
  unsigned deflate = 0;
  int more = 0;  ///< other datasets in the root
};

void write_dataset(hid_t file, const char* name, const std::vector<hsize_t>& shape, hid_t type,
                   hid_t how, hid_t memory, const void* data) {
  // Data in chunks may grow, and only then may a chunk be larger than they are.
  const bool grows = how != H5P_DEFAULT && H5Pget_layout(how) == H5D_CHUNKED;
  const std::vector<hsize_t> most(shape.size(), H5S_UNLIMITED);
  const hid_t space =
      H5Screate_simple(static_cast<int>(shape.size()), shape.data(), grows ? most.data() : nullptr);
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
  EXPECT_GE(set, 0) << name;
  EXPECT_GE(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0) << name;
  H5Dclose(set);
  H5Sclose(space);
}

void write_file(const std::filesystem::path& path, const Writing& how,
                const std::vector<float>& values, const std::vector<std::int64_t>& labels) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (how.latest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
  H5Pset_userblock(creation, how.user_block);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, access);
  ASSERT_GE(file, 0);
  for (int i = 0; i < how.more; ++i) {
    write_dataset(file, ("other" + std::to_string(i)).c_str(), {1}, H5T_STD_I64LE, H5P_DEFAULT,
                  H5T_NATIVE_INT64, labels.data());
  }
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  if (!how.chunk.empty()) H5Pset_chunk(plist, 3, how.chunk.data());
  if (how.shuffle) H5Pset_shuffle(plist);
  if (how.deflate > 0) H5Pset_deflate(plist, how.deflate);
  if (how.fletcher) H5Pset_fletcher32(plist);
  write_dataset(file, "series", {3, 5, 7}, how.type, plist, H5T_NATIVE_FLOAT, values.data());
  write_dataset(file, "labels", {3}, how.label_type, H5P_DEFAULT, H5T_NATIVE_INT64, labels.data());
  H5Pclose(plist);
  H5Fclose(file);
  H5Pclose(creation);
  H5Pclose(access);
}

std::vector<Writing> writings() {
  return {
      {.name = "plain"},
      {.name = "big endian", .type = H5T_IEEE_F32BE, .label_type = H5T_STD_I16BE},
      {.name = "doubles", .type = H5T_IEEE_F64LE, .label_type = H5T_STD_I8LE},
      {.name = "big doubles", .type = H5T_IEEE_F64BE, .label_type = H5T_STD_I32BE},
      {.name = "newest", .latest = true},
      {.name = "behind a user's block", .user_block = 1024},
      {.name = "chunks", .chunk = {1, 2, 3}},
      {.name = "one chunk larger than all", .chunk = {4, 8, 16}, .deflate = 1},
      {.name = "shuffled", .chunk = {2, 5, 4}, .shuffle = true},
      {.name = "deflated", .chunk = {3, 2, 7}, .deflate = 9},
      {.name = "summed", .chunk = {2, 2, 2}, .fletcher = true},
      {.name = "all filters", .chunk = {2, 3, 4}, .shuffle = true, .fletcher = true, .deflate = 4},
      {.name = "a tree of chunks", .chunk = {1, 1, 1}, .deflate = 1},
      {.name = "a tree of names", .more = 300},
  };
}

TEST(Hdf5Reader, ReadsWhatTheLibraryWritesInAnyWay) {
  const test::ScratchFolder folder;
  std::vector<float> values(3 * 5 * 7);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i * i) * 0.125F - 300.0F;
  }
  const std::vector<std::int64_t> labels = {5, -3, 100};
  for (const Writing& how : writings()) {
    SCOPED_TRACE(how.name);
    write_file(folder / "a.h5", how, values, labels);
    const Series series = read_series(folder / "a.h5");
    EXPECT_EQ(series.values, values);
    EXPECT_EQ(series.labels, labels);

    // Any rows alone, too.
    const hdf5::Reader reader(folder / "a.h5");
    const hdf5::Dataset all = reader.dataset("labels", 1);
    for (std::uint64_t first = 0; first < 3; ++first) {
      for (std::uint64_t rows = 0; first + rows <= 3; ++rows) {
        const auto begin = labels.begin() + static_cast<std::ptrdiff_t>(first);
        EXPECT_EQ(reader.integers(all, first, rows),
                  std::vector(begin, begin + static_cast<std::ptrdiff_t>(rows)));
      }
    }
  }
}

TEST(Hdf5Reader, SaysWhatItDoesNotRead) {
  const test::ScratchFolder folder;
  const auto path = folder / "a.h5";
  const std::vector<float> values(3 * 5 * 7, 1.0F);
  const auto message = [&](const Writing& how, const std::function<void(hid_t)>& edit) {
    write_file(path, how, values, {0, 1, 2});
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    edit(file);
    H5Fclose(file);
    const std::string words = message_of<DataError>([&] { read_series(path); });
    EXPECT_THAT(words, HasSubstr(path.string()));
    return words;
  };
  const auto replace = [](hid_t file, hid_t type, hid_t plist) {
    H5Ldelete(file, "labels", H5P_DEFAULT);
    const std::int64_t labels[] = {0, 1, 2};
    write_dataset(file, "labels", {3}, type, plist, H5T_NATIVE_INT64, labels);
  };
  EXPECT_THAT(message({.name = "newest", .latest = true, .chunk = {2, 2, 2}}, [](hid_t) {}),
              HasSubstr("chunks with a newer index; rewrite the file with `h5repack"));
  EXPECT_THAT(message({.name = "other file"},
                      [&](hid_t file) {
                        const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
                        H5Pset_external(plist, (folder / "other.bin").c_str(), 0, 24);
                        replace(file, H5T_STD_I64LE, plist);
                        H5Pclose(plist);
                      }),
              HasSubstr("/labels: its data are in other files"));
  EXPECT_THAT(message({.name = "committed"},
                      [&](hid_t file) {
                        const hid_t type = H5Tcopy(H5T_STD_I64LE);
                        H5Tcommit2(file, "type", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
                        replace(file, type, H5P_DEFAULT);
                        H5Tclose(type);
                      }),
              HasSubstr("/labels: its type or shape is kept elsewhere"));
  EXPECT_THAT(message({.name = "soft link"},
                      [&](hid_t file) {
                        H5Ldelete(file, "series", H5P_DEFAULT);
                        H5Lcreate_soft("/labels", file, "series", H5P_DEFAULT, H5P_DEFAULT);
                      }),
              HasSubstr("/series: no such dataset"));
  EXPECT_THAT(message({.name = "floats as labels"},
                      [&](hid_t file) { replace(file, H5T_IEEE_F32LE, H5P_DEFAULT); }),
              HasSubstr("/labels: expected 3 integers"));
  EXPECT_THAT(message({.name = "packed bits"},
                      [&](hid_t file) {
                        const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
                        const hsize_t chunk[] = {3};
                        H5Pset_chunk(plist, 1, chunk);
                        H5Pset_nbit(plist);
                        replace(file, H5T_STD_I64LE, plist);
                        H5Pclose(plist);
                      }),
              HasSubstr("/labels: filter 5 is none of deflate, shuffle, Fletcher's"));
}

TEST(Hdf5Reader, FindsADamagedChunk) {
  const test::ScratchFolder folder;
  std::vector<float> values(3 * 5 * 7);
  std::iota(values.begin(), values.end(), 0.0F);
  write_file(folder / "a.h5", {.name = "summed", .chunk = {3, 5, 7}, .fletcher = true}, values,
             {0, 1, 2});
  std::string bytes = test::slurp(folder / "a.h5");
  const float known[] = {40.0F, 41.0F};
  const std::size_t at = bytes.find(std::string(reinterpret_cast<const char*>(known), 8));
  ASSERT_NE(at, std::string::npos);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  test::put(folder / "b.h5", bytes);
  EXPECT_THAT(message_of<DataError>([&] { read_series(folder / "b.h5"); }),
              HasSubstr("/series: a chunk with a wrong checksum"));
}

TEST(Hdf5Reader, EveryTruncationIsAnError) {
  const test::ScratchFolder folder;
  const std::vector<float> values(3 * 5 * 7, 1.0F);
  write_file(folder / "a.h5", {.name = "deflated", .chunk = {2, 2, 2}, .deflate = 4}, values,
             {0, 1, 2});
  const std::string bytes = test::slurp(folder / "a.h5");
  for (std::size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 97) {
    test::put(folder / "cut.h5", bytes.substr(0, size));
    EXPECT_THAT(message_of<DataError>([&] { read_series(folder / "cut.h5"); }),
                HasSubstr("not a readable HDF5 file"))
        << size;
  }
}

}  // namespace
}  // namespace longconv::data
