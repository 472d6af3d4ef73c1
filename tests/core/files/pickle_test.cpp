// The pickle interpreter: values of every protocol, nothing executed, bombs refused.
#include "core/files/pickle.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

namespace longconv::files {
namespace {

using ::longconv::testing::message_of;
using ::testing::HasSubstr;
using namespace std::string_literals;

constexpr std::uint64_t kBudget = 1 << 20;

std::string seed(const std::string& name) {
  return read_text(std::string(LONGCONV_SOURCE_DIR) + "/tests/fuzz/corpus/fuzz_pickle/" + name);
}

/// Views of a Pickle point into its text, so both live together.
struct Parsed {
  explicit Parsed(std::string from)
      : text(std::move(from)), pickle(std::as_bytes(std::span(text)), "m.pkl", 100, kBudget) {}
  std::string text;
  Pickle pickle;
};

std::string error_of(const std::string& text) {
  return message_of<CheckpointError>([&] { Parsed parsed(text); });
}

class EveryProtocol : public ::testing::TestWithParam<int> {};

TEST_P(EveryProtocol, GivesTheValuesThatPythonWrote) {
  const Parsed parsed(seed("values_" + std::to_string(GetParam()) + ".pkl"));
  const Pickle& p = parsed.pickle;
  const auto item = [&](PickleRef ref, std::size_t i) { return p.at(ref).items.at(i); };
  const auto node = [&](std::size_t i) -> const PickleNode& { return p.at(item(p.root(), i)); };
  ASSERT_EQ(p.at(p.root()).kind, PickleKind::list);
  ASSERT_EQ(p.at(p.root()).items.size(), 27U);
  EXPECT_EQ(p.size(), parsed.text.size());
  EXPECT_EQ(node(0).kind, PickleKind::none);
  EXPECT_EQ(node(1).kind, PickleKind::boolean);
  EXPECT_EQ(node(1).integer, 1);
  EXPECT_EQ(node(2).integer, 0);
  const std::int64_t integers[] = {
      0, 255, 65535, -1, std::int64_t{1} << 40, -(std::int64_t{1} << 40)};
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(node(3 + i).kind, PickleKind::integer);
    EXPECT_EQ(node(3 + i).integer, integers[i]);
  }
  EXPECT_EQ(node(9).kind, PickleKind::big_integer);
  EXPECT_EQ(node(9).text, "\0\0\0\0\0\0\0\0\0\0\1"s);
  EXPECT_EQ(node(10).real, 1.5);
  EXPECT_EQ(node(11).text, "text");
  EXPECT_EQ(node(12).text, "\u00e9");
  for (std::size_t size = 0; size < 5; ++size) {
    EXPECT_EQ(node(14 + size).kind, PickleKind::tuple);
    EXPECT_EQ(node(14 + size).items.size(), size);
  }
  EXPECT_EQ(node(19).kind, PickleKind::list);
  EXPECT_EQ(p.at(item(item(item(p.root(), 19), 1), 0)).integer, 2) << "[1, [2]]";
  const auto inner = p.find(item(p.root(), 20), "a");
  ASSERT_TRUE(inner);
  EXPECT_EQ(p.at(p.find(*inner, "b").value()).integer, 1);
  EXPECT_FALSE(p.find(*inner, "c"));
  EXPECT_EQ(node(21).kind, PickleKind::set);
  EXPECT_EQ(node(21).items.size(), 2U);
  EXPECT_EQ(node(22).kind, PickleKind::set);
  EXPECT_EQ(p.at(p.find(item(p.root(), 23), "a").value()).integer, 1) << "OrderedDict";
  EXPECT_EQ(node(25).kind, PickleKind::opaque) << "complex is a call of a class";
  EXPECT_EQ(node(26).items.at(0), item(p.root(), 26)) << "the list that holds itself";
  if (GetParam() > 2) {  // protocol 2 writes bytes as a call of a codec, which is opaque
    EXPECT_EQ(node(13).kind, PickleKind::bytes);
    EXPECT_EQ(node(13).text, "bytes");
  }
}

INSTANTIATE_TEST_SUITE_P(Pickle, EveryProtocol, ::testing::Values(2, 3, 4, 5));

TEST(Pickle, ACallOfAProgramIsANameAndNothingElse) {
  const std::filesystem::path executed = std::filesystem::current_path() / "executed";
  const Parsed parsed(seed("program.pkl"));
  const PickleNode& root = parsed.pickle.at(parsed.pickle.root());
  EXPECT_EQ(root.kind, PickleKind::opaque);
  EXPECT_EQ(root.name, "system");
  EXPECT_THAT(parsed.pickle.describe(parsed.pickle.root()), HasSubstr(".system"));
  EXPECT_FALSE(std::filesystem::exists(executed));
}

TEST(Pickle, OpaqueValuesSwallowItemsAttributesAndFurtherCalls) {
  // collections.Counter() with an item, an attribute, an appended value; then called itself.
  const Parsed parsed(
      "\x80\x02"
      "ccollections\nCounter\n)R"
      "K\1K\2s"
      "}b"
      "K\3a"
      "K\4\x85R."s);
  EXPECT_EQ(parsed.pickle.at(parsed.pickle.root()).kind, PickleKind::opaque);
  EXPECT_EQ(parsed.pickle.describe(parsed.pickle.root()), "object collections.Counter");
}

TEST(Pickle, AGlobalOfTensorsIsKnownOnlyByBothOfItsNames) {
  const auto kind = [](const std::string& global) {
    const Parsed parsed(
        "\x80\x02"
        "c" +
        global + "\n.");
    return parsed.pickle.at(parsed.pickle.root()).kind;
  };
  EXPECT_EQ(kind("torch\nFloatStorage"), PickleKind::global);
  EXPECT_EQ(kind("torch._utils\n_rebuild_tensor_v2"), PickleKind::global);
  EXPECT_EQ(kind("torch\n_rebuild_tensor_v2"), PickleKind::opaque);
  EXPECT_EQ(kind("torch._utils\n_rebuild_tensor_v2.__globals__"), PickleKind::opaque);
  EXPECT_EQ(kind("os\nFloatStorage"), PickleKind::opaque);
}

TEST(PickleErrors, TruncatedAtEveryByte) {
  for (const int protocol : {2, 3, 4, 5}) {
    const std::string whole = seed("values_" + std::to_string(protocol) + ".pkl");
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_THAT(error_of(whole.substr(0, size)), HasSubstr("m.pkl: pickle, byte ")) << size;
    }
  }
}

struct Lie {
  const char* name;
  std::string body;     // behind PROTO 2
  const char* message;  // part of it
};

std::ostream& operator<<(std::ostream& out, const Lie& lie) { return out << lie.name; }

class PickleLies : public ::testing::TestWithParam<Lie> {};

TEST_P(PickleLies, AreNamedWithTheirByte) {
  const std::string message = error_of("\x80\x02" + GetParam().body);
  EXPECT_THAT(message, HasSubstr("m.pkl: pickle, byte 10"));
  EXPECT_THAT(message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, PickleLies,
    ::testing::Values(Lie{"huge_text",
                          "X\xff\xff\xff\xff"
                          "abc"s,
                          "wants 4294967295 bytes, but 3 are left"},
                      Lie{"huge_bytes", "\x8e\xff\xff\xff\xff\xff\xff\xff\xff"s, "but 0 are left"},
                      Lie{"huge_integer", "\x8b\xff\xff\xff\x7f"s, "wants 2147483647 bytes"},
                      Lie{"frame", "\x95\xff\xff\xff\xff\xff\xff\xff\xff."s,
                          "a frame reaches beyond"},
                      Lie{"protocol_0", "I12\n."s, "expected an opcode of protocol 2 to 5"},
                      Lie{"text_opcode", "S'abc'\n."s, "got 0x53"},
                      Lie{"buffer", "\x97."s, "got 0x97"},
                      Lie{"empty_stack", "."s, "wants 1 values, the stack has 0"},
                      Lie{"short_stack", "K\1\x86."s, "wants 2 values, the stack has 1"},
                      Lie{"below_a_mark", "K\1(\x85."s, "wants 1 values, the stack has 0"},
                      Lie{"no_mark", "K\1t."s, "no mark"},
                      Lie{"unknown_memo", "h\7."s, "memo 7 was never written"},
                      Lie{"key_alone", "(K\1d."s, "a key without a value"},
                      Lie{"item_alone", "}(K\1u."s, "a key without a value"},
                      Lie{"items_of_a_number", "K\1(K\1e."s, "items of a list for a integer"},
                      Lie{"global_of_numbers", "K\1K\2\x93."s, "a global whose name is no text"},
                      Lie{"line_without_end", "cabc"s, "a line without an end"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(PickleErrors, OtherProtocols) {
  EXPECT_THAT(error_of("\x80\x06N."s), HasSubstr("expected protocol 2 to 5, got 6"));
  EXPECT_THAT(error_of("\x80\x01N."s), HasSubstr("got 1"));
  EXPECT_THAT(error_of("(lp0\n."s), HasSubstr("expected a pickle of protocol 2 to 5"));
}

TEST(PickleErrors, BombsStayWithinTheBudget) {
  const auto refused = [](const std::string& body) {
    EXPECT_THAT(error_of("\x80\x02" + body), HasSubstr("more memory than"));
  };
  constexpr std::size_t kMany = 1 << 20;
  refused(std::string(kMany, '}'));        // objects
  refused(std::string(kMany, '('));        // marks
  refused("N" + std::string(kMany, '2'));  // copies
  std::string memo = "N";
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    memo += 'r';
    memo.append(reinterpret_cast<const char*>(&i), sizeof(i));
  }
  refused(memo);                        // memo
  std::string doubling = "](NNNNNNNN";  // lists of all that came before
  for (int i = 0; i < 100'000; ++i) doubling += "2(h";
  EXPECT_THAT(error_of("\x80\x02" + doubling), HasSubstr("m.pkl: "));
}

TEST(Pickle, DepthCostsNothing) {
  // ((((..),),),): nested 100,000 deep, within a budget that fits.
  std::string text = "\x80\x02)";
  constexpr int kDepth = 4000;
  for (int i = 0; i < kDepth; ++i) text += "\x85";
  const Parsed parsed(text + ".");
  EXPECT_EQ(parsed.pickle.count(), kDepth + 1U);
}

}  // namespace
}  // namespace longconv::files
