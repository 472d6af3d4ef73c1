// TensorBoard event files, encoded by hand (no protobuf library beside SentencePiece's own).
//
// A file is a series of TFRecords, integers little-endian:
//   u64 length | u32 masked CRC-32C of the length | payload | u32 masked CRC-32C of the payload
//   masked(c) = ((c >> 15) | (c << 17)) + 0xa282ead8
// Each payload is an Event message, the first one the version record
// (tensorflow/core/util/event.proto):
//   Event   { 1: double wall_time  2: int64 step  3: string file_version  5: Summary }
//   Summary { 1: repeated Value }      Value { 1: string tag  2: float simple_value }
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace longconv::train {

class EventWriter {
 public:
  /// Creates events.out.tfevents.<seconds>.<host>.<pid>[.<n>] in `folder`, with its version record;
  /// a resumed run adds a new file, as TensorBoard expects. Throws EnvironmentError.
  explicit EventWriter(const std::filesystem::path& folder);
  /// Writes what is buffered; a failure is lost here, so call flush() first.
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;
  /// Buffered; the value is stored as float32. Throws EnvironmentError when a full buffer cannot be
  /// written.
  void add_scalar(const std::string& tag, std::int64_t step, double value);
  void flush();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void record(const std::string& event);
  int descriptor_ = -1;
  std::filesystem::path path_;
  std::string buffer_;
};

}  // namespace longconv::train
