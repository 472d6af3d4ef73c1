#include "data/formats/text_store.h"

#include "data/formats/idx_file.h"  // read_maybe_gzip

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace longconv::data {

namespace {

template <class Owner>
class MemoryText final : public TextStore {
 public:
  MemoryText(Owner owner, std::span<const std::byte> bytes)
      : owner_(std::move(owner)),
        data_(reinterpret_cast<const char*>(bytes.data())),
        size_(static_cast<std::int64_t>(bytes.size())) {}
  [[nodiscard]] std::int64_t size() const override { return size_; }
  void read(std::int64_t offset, std::span<char> out) const override {
    std::copy_n(data_ + offset, out.size(), out.begin());
  }
  [[nodiscard]] const char* data() const override { return data_; }

 private:
  Owner owner_;
  const char* data_;
  std::int64_t size_;
};

}  // namespace

std::unique_ptr<TextStore> mapped_text(files::MappedFile file) {
  const auto bytes = file.bytes();
  return std::make_unique<MemoryText<files::MappedFile>>(std::move(file), bytes);
}

std::unique_ptr<TextStore> gunzipped_text(const std::filesystem::path& path) {
  std::vector<std::byte> text = read_maybe_gzip(path);
  const std::span<const std::byte> bytes(text);  // moving a vector leaves its bytes in their place
  return std::make_unique<MemoryText<std::vector<std::byte>>>(std::move(text), bytes);
}

}  // namespace longconv::data
