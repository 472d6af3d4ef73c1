#include "train/report/tensorboard.h"

#include "core/base/error.h"
#include "core/files/atomic_file.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace longconv::train {
namespace {

// CRC-32C bit by bit from its polynomial, so that nothing is shared with the code under test.
std::uint32_t crc32c_by_bits(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

std::uint32_t masked(std::string_view bytes) {
  const std::uint32_t crc = crc32c_by_bits(bytes);
  return ((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U;
}

struct Event {
  double wall_time = 0.0;
  std::int64_t step = 0;
  std::string version;
  std::string tag;
  float value = 0.0F;
};

// Takes a message or a file apart from its front; a wrong byte anywhere is a test failure.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool done() const { return bytes_.empty(); }
  std::string_view take(std::size_t count) {
    EXPECT_LE(count, bytes_.size());
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  std::uint64_t fixed(std::size_t size) {
    const std::string_view taken = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = taken.size(); i-- > 0;) {
      value = value << 8U | static_cast<unsigned char>(taken[i]);
    }
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint64_t byte = fixed(1);
      value |= (byte & 0x7FU) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }
  void expect_key(std::uint64_t field, std::uint64_t wire) {
    EXPECT_EQ(varint(), field * 8 + wire);
  }
  std::string_view message(std::uint64_t field) {
    expect_key(field, 2);
    return take(varint());
  }

 private:
  std::string_view bytes_;
};

std::vector<Event> read_events(const std::filesystem::path& path) {
  const std::string file = files::read_text(path);
  std::vector<Event> events;
  for (Reader reader(file); !reader.done();) {
    const std::string_view length = reader.take(8);
    EXPECT_EQ(reader.fixed(4), masked(length));
    const std::string_view payload = reader.take(Reader(length).fixed(8));
    EXPECT_EQ(reader.fixed(4), masked(payload));
    if (::testing::Test::HasFailure()) return events;

    Event event;
    Reader fields(payload);
    fields.expect_key(1, 1);
    event.wall_time = std::bit_cast<double>(fields.fixed(8));
    if (events.empty()) {
      event.version = fields.message(3);
    } else {
      fields.expect_key(2, 0);
      event.step = static_cast<std::int64_t>(fields.varint());
      Reader summary(fields.message(5));
      Reader value(summary.message(1));
      event.tag = value.message(1);
      value.expect_key(2, 5);
      event.value = std::bit_cast<float>(static_cast<std::uint32_t>(value.fixed(4)));
      EXPECT_TRUE(value.done() && summary.done());
    }
    EXPECT_TRUE(fields.done());
    events.push_back(event);
  }
  return events;
}

TEST(EventWriter, TheCheckItselfKnowsTheStandardValue) {
  EXPECT_EQ(crc32c_by_bits("123456789"), 0xE3069283U);
}

TEST(EventWriter, EveryByteReadsBack) {
  const testing::TempFolder folder;
  const std::string long_tag(300, 't');  // its length takes two varint bytes
  std::filesystem::path path;
  {
    EventWriter writer(folder.path());
    path = writer.path();
    writer.add_scalar("train/loss", 1, 3.25);
    writer.add_scalar(long_tag, 3'000'000'000, -1e-3);
    writer.add_scalar("train/loss", 0, std::numeric_limits<double>::quiet_NaN());
  }
  const std::vector<Event> events = read_events(path);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.7e9);
  EXPECT_EQ(events[1].tag, "train/loss");
  EXPECT_EQ(events[1].step, 1);
  EXPECT_EQ(events[1].value, 3.25F);
  EXPECT_GE(events[1].wall_time, events[0].wall_time);
  EXPECT_EQ(events[2].tag, long_tag);
  EXPECT_EQ(events[2].step, 3'000'000'000);
  EXPECT_EQ(events[2].value, -1e-3F);
  EXPECT_EQ(events[3].step, 0);
  EXPECT_TRUE(std::isnan(events[3].value));
}

TEST(EventWriter, FlushMakesEventsVisible) {
  const testing::TempFolder folder;
  EventWriter writer(folder.path());
  EXPECT_EQ(read_events(writer.path()).size(), 1U) << "the version record comes at once";
  writer.add_scalar("loss", 1, 1.0);
  EXPECT_EQ(read_events(writer.path()).size(), 1U);
  writer.flush();
  EXPECT_EQ(read_events(writer.path()).size(), 2U);
  for (int step = 0; step < 2000; ++step) writer.add_scalar("loss", step, 1.0);
  EXPECT_GT(read_events(writer.path()).size(), 1000U) << "a full buffer is written by itself";
}

TEST(EventWriter, AFileIsNeverWrittenTwice) {
  const testing::TempFolder folder;
  const EventWriter first(folder.path());
  const EventWriter second(folder.path());
  EXPECT_NE(first.path(), second.path());
  for (const EventWriter* writer : {&first, &second}) {
    EXPECT_THAT(writer->path().filename().string(), ::testing::StartsWith("events.out.tfevents."));
    EXPECT_EQ(read_events(writer->path()).size(), 1U);
  }
}

TEST(EventWriter, AMissingFolderIsAnEnvironmentError) {
  const testing::TempFolder folder;
  EXPECT_THAT(
      testing::message_of<EnvironmentError>([&] { const EventWriter writer(folder / "none"); }),
      ::testing::HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace longconv::train
