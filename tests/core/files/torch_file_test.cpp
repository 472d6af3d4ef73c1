// Files that torch.save wrote (scripts/rebuild_torch_seeds.py), in both layouts, whole and damaged.
#include "core/files/torch_file.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace longconv::files {
namespace {

using ::longconv::testing::message_of;
using ::longconv::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string seed_path(const std::string& name) {
  return std::string(LONGCONV_SOURCE_DIR) + "/tests/fuzz/corpus/fuzz_torch_file/" + name;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

template <class T>
std::vector<T> values(const TensorView& view) {
  std::vector<T> out(view.data.size() / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), view.data.data(), view.data.size());
  return out;
}

class EveryLayout : public ::testing::TestWithParam<const char*> {
 protected:
  TensorView get(const std::string& name) {
    const auto ref = archive().pickle().find(archive().pickle().root(), name);
    EXPECT_TRUE(ref) << name;
    return archive().tensor(ref.value(), name);
  }
  TorchArchive& archive() { return file_.archive(); }

 private:
  TorchFile file_{seed_path(GetParam())};
};

TEST_P(EveryLayout, GivesTheTensorsThatTorchWrote) {
  EXPECT_THAT(values<float>(get("ramp")), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(get("ramp").shape, ElementsAre(2, 3));
  EXPECT_THAT(values<float>(get("ramp_transposed")), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(get("ramp_transposed").shape, ElementsAre(3, 2));
  EXPECT_THAT(values<float>(get("second_row")), ElementsAre(3, 4, 5));
  EXPECT_THAT(values<float>(get("expanded")), ElementsAre(7, 7, 7));
  EXPECT_THAT(values<float>(get("parameter")), ElementsAre(0.5, -0.5));
  EXPECT_THAT(values<std::int64_t>(get("scalar")), ElementsAre(5));
  EXPECT_THAT(get("scalar").shape, IsEmpty());
  EXPECT_THAT(get("empty").shape, ElementsAre(0, 4));
  EXPECT_THAT(get("empty").data, IsEmpty());
  EXPECT_THAT(values<double>(get("float64")), ElementsAre(1, 2, 3));
  EXPECT_EQ(get("bfloat16").dtype, Dtype::bf16);
  EXPECT_THAT(values<std::uint16_t>(get("bfloat16")), ElementsAre(0x3F80, 0x4000, 0x4040));
  EXPECT_EQ(get("float16").dtype, Dtype::f16);
  EXPECT_THAT(values<std::int32_t>(get("int32")), ElementsAre(1, 2, 3));
  EXPECT_THAT(values<std::int16_t>(get("int16")), ElementsAre(1, 2, 3));
  EXPECT_EQ(get("int8").dtype, Dtype::i8);
  EXPECT_EQ(get("uint8").dtype, Dtype::u8);
  EXPECT_EQ(get("bool").dtype, Dtype::boolean);
  EXPECT_THAT(archive().damaged_storages(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(TorchFile, EveryLayout,
                         ::testing::Values("state_dict.pt", "state_dict_legacy.pt", "deflated.pt"));

TEST(TorchFile, ContiguousTensorsOfAZipAreTheFileItself) {
  const std::string text = read_text(seed_path("state_dict.pt"));
  TorchArchive archive(bytes_of(text), "m.pt");
  const TensorView view =
      archive.tensor(archive.pickle().find(archive.pickle().root(), "ramp").value(), "ramp");
  EXPECT_GE(view.data.data(), bytes_of(text).data());
  EXPECT_LE(view.data.data() + view.data.size(), bytes_of(text).data() + text.size());
}

class Lightning : public ::testing::TestWithParam<const char*> {};

TEST_P(Lightning, ObjectsBesideTheTensorsAreOpaque) {
  TorchFile file(seed_path(GetParam()));
  const Pickle& p = file.archive().pickle();
  const auto state = p.find(p.root(), "state_dict");
  ASSERT_TRUE(state);
  EXPECT_THAT(values<float>(file.archive().tensor(p.find(*state, "model.weight").value(), "w")),
              ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(p.at(p.find(p.root(), "global_step").value()).integer, 12'345'678'901);
  const auto parameters = p.find(p.root(), "hyper_parameters").value();
  EXPECT_EQ(p.at(parameters).kind, PickleKind::opaque);
  EXPECT_EQ(p.describe(parameters), "object omegaconf.dictconfig.DictConfig");
  EXPECT_FALSE(file.archive().is_tensor(parameters));
  EXPECT_EQ(message_of<CheckpointError>([&] { file.archive().tensor(parameters, "lr"); }),
            seed_path(GetParam()) +
                ": tensor lr: expected a tensor, got object omegaconf.dictconfig.DictConfig");
}

INSTANTIATE_TEST_SUITE_P(TorchFile, Lightning,
                         ::testing::Values("lightning.ckpt", "lightning_legacy.ckpt"));

TEST(TorchFile, NothingIsExecuted) {
  for (const char* name : {"program.pt", "program_legacy.pt"}) {
    TorchFile file(seed_path(name));
    const Pickle& p = file.archive().pickle();
    EXPECT_THAT(p.describe(p.find(p.root(), "x").value()), HasSubstr(".system"));
    EXPECT_THAT(values<float>(file.archive().tensor(p.find(p.root(), "w").value(), "w")),
                ElementsAre(1, 1))
        << "the tensors beside it are read";
    EXPECT_FALSE(std::filesystem::exists("executed"));
  }
}

TEST(TorchFile, ADamagedStorageIsFoundByItsChecksum) {
  std::string text = read_text(seed_path("state_dict.pt"));
  const float two[] = {2.0F, 3.0F, 4.0F};  // of the ramp
  const auto at = text.find(std::string(reinterpret_cast<const char*>(two), sizeof(two)));
  ASSERT_NE(at, std::string::npos);
  text[at] ^= 1;
  const TorchArchive archive(bytes_of(text), "m.pt");
  EXPECT_EQ(archive.damaged_storages().size(), 1U);
}

TEST(TorchFileErrors, MissingAndForeignFiles) {
  EXPECT_THAT(message_of<CheckpointError>([] { TorchFile file("no/such.pt"); }),
              HasSubstr("no/such.pt: cannot open"));
  const std::string text = "GIF89a";
  EXPECT_THAT(message_of<CheckpointError>([&] { TorchArchive archive(bytes_of(text), "m.pt"); }),
              HasSubstr("m.pt: expected a file of torch.save"));
}

/// Every prefix is refused, or (legacy: the last storage is whole) gives its tensors.
TEST(TorchFileErrors, TruncatedAnywhere) {
  for (const char* name : {"state_dict.pt", "state_dict_legacy.pt", "deflated.pt"}) {
    const std::string whole = read_text(seed_path(name));
    for (std::size_t size = 0; size < whole.size(); size += size < 64 ? 1 : 7) {
      const std::string part = whole.substr(0, size);
      EXPECT_THAT(
          message_of<CheckpointError>([&] { TorchArchive archive(bytes_of(part), "m.pt"); }),
          HasSubstr("m.pt: "))
          << name << " " << size;
    }
  }
}

/// A legacy file of one tensor "w" whose storage, offset, shape and strides are what a test wants.
std::string legacy(const std::string& claim, const std::string& offset, const std::string& shape,
                   const std::string& strides, const std::string& floats,
                   const std::string& type = "FloatStorage") {
  using namespace std::string_literals;
  const std::string count = [&] {
    const std::uint64_t elements = floats.size() / sizeof(float);
    return std::string(reinterpret_cast<const char*>(&elements), sizeof(elements));
  }();
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s + "\x80\x02M\xe9\x03."s +
         "\x80\x02}X\x0d\0\0\0little_endian\x88s."s +
         "\x80\x02}X\1\0\0\0w"s +  // {"w": _rebuild_tensor_v2(storage, offset, shape, strides)}
         "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"s + type + "\nX\1\0\0\0"s +
         "0X\3\0\0\0cpu"s + claim + "NtQ"s + offset + shape + strides +
         "\x89"
         "ctorch\nnone\ntRs." +
         "\x80\x02]X\1\0\0\0"s + "0a."s + count + floats;
}

std::string number(std::int64_t value) {
  return "\x8a\x08" + std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string refused(const std::string& text) {
  return message_of<CheckpointError>([&] {
    TorchArchive archive(bytes_of(text), "m.pt");
    archive.tensor(archive.pickle().find(archive.pickle().root(), "w").value(), "w");
  });
}

TEST(TorchFileErrors, LyingTensorsAreNamed) {
  const std::string floats(16, '\0');
  const auto row = [](std::int64_t a, std::int64_t b) { return number(a) + number(b) + "\x86"; };
  const std::int64_t huge = std::int64_t{1} << 62;
  const std::string good = legacy(number(4), number(0), row(2, 2), row(2, 1), floats);
  TorchArchive archive(bytes_of(good), "m.pt");
  EXPECT_EQ(
      archive.tensor(archive.pickle().find(archive.pickle().root(), "w").value(), "w").data.size(),
      16U)
      << "the file that tells no lie";

  EXPECT_EQ(refused(legacy(number(5), number(0), row(2, 2), row(2, 1), floats)),
            "m.pt: tensor w: its storage 0 claims 5 elements (20 bytes), but has 16 bytes");
  EXPECT_THAT(refused(legacy(number(huge), number(0), row(2, 2), row(2, 1), floats)),
              HasSubstr("claims 4611686018427387904 elements"));
  EXPECT_EQ(refused(legacy(number(4), number(1), row(2, 2), row(2, 1), floats)),
            "m.pt: tensor w: shape [2, 2], strides [2, 1] from element 1 reach beyond its storage "
            "of 4");
  EXPECT_THAT(refused(legacy(number(4), number(huge), row(2, 2), row(2, 1), floats)),
              HasSubstr("reach beyond its storage of 4"));
  EXPECT_THAT(refused(legacy(number(4), number(0), row(2, 2), row(huge, huge), floats)),
              HasSubstr("reach beyond"));
  EXPECT_THAT(refused(legacy(number(4), number(0), row(huge, huge), row(0, 0), floats)),
              HasSubstr("more elements than memory"));
  EXPECT_THAT(refused(legacy(number(4), number(0), row(1 << 20, 1 << 20), row(0, 0), floats)),
              HasSubstr("unfolds to more bytes than the file has"));
  EXPECT_THAT(refused(legacy(number(4), number(-1), row(2, 2), row(2, 1), floats)),
              HasSubstr("all integers >= 0"));
  EXPECT_THAT(refused(legacy(number(4), number(0), row(-2, 2), row(2, 1), floats)),
              HasSubstr("all integers >= 0"));
  EXPECT_THAT(refused(legacy(number(4), number(0), row(2, 2), "N", floats)),
              HasSubstr("all integers >= 0"));
  EXPECT_THAT(
      refused(legacy(number(4), number(0), row(2, 2), row(2, 1), floats, "ComplexFloatStorage")),
      HasSubstr("of type object torch.ComplexFloatStorage"));
  EXPECT_THAT(refused(good.substr(0, good.size() - 1)), HasSubstr("is the file truncated?"));
}

TEST(TorchFileErrors, ZipArchivesThatLie) {
  const std::string whole = read_text(seed_path("protocol_4.pt"));
  const auto changed = [&](const std::string& what, const std::string& with, std::size_t skip = 0) {
    std::string text = whole;
    std::size_t at = text.find(what);
    for (; skip > 0; --skip) at = text.find(what, at + 1);
    text.replace(at, with.size(), with);
    return message_of<CheckpointError>([&] { TorchArchive archive(bytes_of(text), "m.pt"); });
  };
  EXPECT_THAT(changed("data.pkl", "data.pkX"), HasSubstr("its local header has another name"));
  EXPECT_THAT(changed("PK\5\6", "PK\5\7"), HasSubstr("end record is missing"));
  EXPECT_THAT(changed("PK\1\2", "PK\1\3"), HasSubstr("entry of the directory is damaged"));
  EXPECT_THAT(changed("cpu", "cpX"), HasSubstr("its checksum is wrong"));
  std::string text = whole;
  const std::size_t end = text.rfind("PK\6\6");  // PyTorch writes ZIP64 records, however small
  text[end + 55] = '\x7f';                       // where the directory begins
  EXPECT_THAT(message_of<CheckpointError>([&] { TorchArchive archive(bytes_of(text), "m.pt"); }),
              HasSubstr("m.pt: zip archive: "));
}

}  // namespace
}  // namespace longconv::files
