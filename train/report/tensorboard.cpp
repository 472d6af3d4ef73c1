#include "train/report/tensorboard.h"

#include "core/base/error.h"
#include "core/files/hash.h"
#include "train/report/append_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>
#include <span>
#include <string_view>

namespace longconv::train {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

double now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

template <class Integer>
void put_little_endian(std::string& out, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    out += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out += static_cast<char>(value | 0x80U);
  out += static_cast<char>(value);
}

// A field's key is its number and its wire type: 0 varint, 1 eight bytes, 2 length-prefixed, 5
// four.
void put_key(std::string& out, unsigned field, unsigned wire_type) {
  put_varint(out, field << 3U | wire_type);
}

void put_double(std::string& out, unsigned field, double value) {
  put_key(out, field, 1);
  put_little_endian(out, std::bit_cast<std::uint64_t>(value));
}

void put_float(std::string& out, unsigned field, float value) {
  put_key(out, field, 5);
  put_little_endian(out, std::bit_cast<std::uint32_t>(value));
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_key(out, field, 2);
  put_varint(out, bytes.size());
  out += bytes;
}

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = files::crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())));
  return std::rotr(crc, 15) + 0xa282ead8U;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] != '\0' ? name.data()
                                                                             : "localhost";
}

}  // namespace

EventWriter::EventWriter(const std::filesystem::path& folder) {
  const double time = now();
  const std::string name = fmt::format("events.out.tfevents.{}.{}.{}",
                                       static_cast<std::int64_t>(time), host_name(), ::getpid());
  // Two writers within one second (a quick resume in one process) get different files.
  for (int n = 0; descriptor_ < 0; ++n) {
    path_ = folder / (n == 0 ? name : fmt::format("{}.{}", name, n));
    descriptor_ = open_append(path_, /*must_be_new=*/true);
  }
  std::string event;
  put_double(event, 1, time);
  put_bytes(event, 3, "brain.Event:2");
  try {
    record(event);
    flush();
  } catch (...) {
    close_append(descriptor_);
    throw;
  }
}

EventWriter::~EventWriter() {
  try {
    flush();
  } catch (const Error&) {
    // A destructor cannot report it, and the curves are also in metrics.jsonl.
  }
  close_append(descriptor_);
}

void EventWriter::add_scalar(const std::string& tag, std::int64_t step, double value) {
  std::string scalar;
  put_bytes(scalar, 1, tag);
  put_float(scalar, 2, static_cast<float>(value));
  std::string summary;
  put_bytes(summary, 1, scalar);
  std::string event;
  put_double(event, 1, now());
  put_key(event, 2, 0);
  put_varint(event, static_cast<std::uint64_t>(step));
  put_bytes(event, 5, summary);
  record(event);
}

void EventWriter::record(const std::string& event) {
  std::string length;
  put_little_endian(length, static_cast<std::uint64_t>(event.size()));
  buffer_ += length;
  put_little_endian(buffer_, masked_crc(length));
  buffer_ += event;
  put_little_endian(buffer_, masked_crc(event));
  if (buffer_.size() >= kBufferBytes) flush();
}

void EventWriter::flush() {
  if (buffer_.empty()) return;
  append_whole(descriptor_, buffer_, path_);
  buffer_.clear();
}

}  // namespace longconv::train
