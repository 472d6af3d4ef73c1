#include "core/files/safetensors_header.h"

#include "core/base/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <limits>
#include <set>
#include <utility>

namespace longconv::files {
namespace {

using Json = nlohmann::json;

/// Receives nlohmann's parse events and follows them through the only shape a header can have.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  HeaderJson take() { return std::move(header_); }

  bool start_object(std::size_t /*elements*/) override {
    switch (place_) {
      case Place::start:
        place_ = Place::top;
        return true;
      case Place::tensor:
        place_ = Place::field;
        return true;
      case Place::metadata:
        place_ = Place::metadata_field;
        return true;
      default:
        unexpected("an object");
    }
  }

  bool end_object() override {
    if (place_ == Place::field) check_complete();
    place_ = place_ == Place::top ? Place::start : Place::top;
    return true;
  }

  bool key(string_t& word) override {
    if (place_ == Place::metadata_field) {
      field_ = word;
      place_ = Place::metadata_value;
    } else if (place_ == Place::field) {
      field_ = word;
      if (!fields_.insert(word).second) fail("key \"" + word + "\" comes twice");
      if (word == "dtype") {
        place_ = Place::dtype;
      } else if (word == "shape") {
        place_ = Place::shape;
      } else if (word == "data_offsets") {
        place_ = Place::offsets;
      } else {
        fail("unknown key \"" + word + "\"; expected dtype, shape, data_offsets");
      }
    } else {
      start_entry(word);
    }
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata_value) {
      if (!header_.metadata.emplace(field_, text).second) {
        fail("key \"" + field_ + "\" comes twice");
      }
      place_ = Place::metadata_field;
    } else if (place_ == Place::dtype) {
      entry_->dtype = text;
      place_ = Place::field;
    } else {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t /*elements*/) override {
    if (place_ == Place::shape) {
      place_ = Place::shape_item;
    } else if (place_ == Place::offsets) {
      place_ = Place::offset_item;
      offsets_ = 0;
    } else {
      unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offset_item && offsets_ != 2) {
      fail(fmt::format("data_offsets: expected [begin, end], got {} numbers", offsets_));
    }
    place_ = Place::field;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape_item) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail(fmt::format("shape: dimension {} is larger than any memory", value));
      }
      entry_->shape.push_back(static_cast<std::int64_t>(value));
    } else if (place_ == Place::offset_item) {
      if (offsets_ == 0) entry_->begin = value;
      if (offsets_ == 1) entry_->end = value;
      ++offsets_;
    } else {
      unexpected(fmt::format("{}", value));
    }
    return true;
  }

  bool number_integer(number_integer_t value) override { unexpected(fmt::format("{}", value)); }
  bool number_float(number_float_t /*value*/, const string_t& text) override { unexpected(text); }
  bool boolean(bool value) override { unexpected(value ? "true" : "false"); }
  bool null() override { unexpected("null"); }
  bool binary(binary_t& /*bytes*/) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    throw CheckpointError(fmt::format("{}: header byte {}: {}", path_, position, error.what()));
  }

 private:
  enum class Place : std::uint8_t {
    start,           // before the top-level object, and behind it
    top,             // expects a tensor's name
    tensor,          // expects the tensor's object
    field,           // expects dtype, shape or data_offsets
    dtype,           // expects the string behind "dtype"
    shape,           // expects the array behind "shape"
    shape_item,      // inside it
    offsets,         // expects the array behind "data_offsets"
    offset_item,     // inside it
    metadata,        // expects the object behind "__metadata__"
    metadata_field,  // expects a key of it
    metadata_value,  // expects its string
  };

  void start_entry(const std::string& word) {
    name_ = word;
    fields_.clear();
    if (word == "__metadata__") {
      if (seen_metadata_) fail("__metadata__ comes twice");
      seen_metadata_ = true;
      place_ = Place::metadata;
      return;
    }
    const auto [at, fresh] = header_.entries.try_emplace(word);
    if (!fresh) fail("the name comes twice");
    entry_ = &at->second;
    place_ = Place::tensor;
  }

  void check_complete() const {
    for (const char* word : {"dtype", "shape", "data_offsets"}) {
      if (fields_.count(word) == 0) fail(fmt::format("{} is missing", word));
    }
  }

  const char* wanted() const {
    switch (place_) {
      case Place::start:
        return "an object of tensors";
      case Place::tensor:
        return "an object with dtype, shape and data_offsets";
      case Place::dtype:
        return "dtype: a string";
      case Place::shape:
        return "shape: an array of integers >= 0";
      case Place::shape_item:
        return "shape: integers >= 0";
      case Place::offsets:
        return "data_offsets: [begin, end]";
      case Place::offset_item:
        return "data_offsets: integers >= 0";
      case Place::metadata:
        return "an object of strings";
      case Place::metadata_value:
        return "a string for every key";
      default:
        return "a key";
    }
  }

  [[noreturn]] void unexpected(const std::string& got) const {
    fail(fmt::format("expected {}, got {}", wanted(), got));
  }

  [[noreturn]] void fail(const std::string& words) const {
    throw CheckpointError(name_.empty() ? fmt::format("{}: header: {}", path_, words)
                                        : fmt::format("{}: tensor {}: {}", path_, name_, words));
  }

  const std::string& path_;
  HeaderJson header_;
  Place place_ = Place::start;
  std::string name_;              // of the entry being read
  std::string field_;             // the key being read inside it
  std::set<std::string> fields_;  // the entry's keys so far
  HeaderEntry* entry_ = nullptr;
  int offsets_ = 0;  // numbers of data_offsets so far
  bool seen_metadata_ = false;
};

}  // namespace

HeaderJson parse_header_json(std::string_view text, const std::string& path) {
  HeaderReader reader(path);
  Json::sax_parse(text.begin(), text.end(), &reader);
  return reader.take();
}

}  // namespace longconv::files
