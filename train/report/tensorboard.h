// TensorBoard event files: TFRecord framing (length, masked CRC-32C, payload, masked CRC-32C) around
// Event protobufs with scalar summaries, encoded by hand (no protobuf library beside SentencePiece).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace longconv::train {

class EventWriter {
 public:
  /// Creates events.out.tfevents.<seconds>.<host>.<pid> in `folder`, with its version record.
  /// Throws EnvironmentError.
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;
  void add_scalar(const std::string& tag, std::int64_t step, double value);
  void flush();

 private:
  void record(const std::string& event);
  int descriptor_ = -1;
  std::filesystem::path path_;
  std::string buffer_;
};

}  // namespace longconv::train
