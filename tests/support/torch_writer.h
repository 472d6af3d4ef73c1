// Writes what torch.save writes, in both layouts, so that a test can shape files as it likes; that
// PyTorch's own files are read is tested on those of scripts/rebuild_torch_seeds.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace longconv::testing {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

inline std::string pickled_text(const std::string& text) {
  return std::string("X").append(raw(static_cast<std::uint32_t>(text.size()))).append(text);
}

/// A call of os.system("touch executed"), which a reader must not make.
inline std::string pickled_program() {
  return "cposix\nsystem\n" + pickled_text("touch executed") + "\x85R";
}

/// A dict below `keys` ({"state", "model"} for Composer): the tensors (float32, float64, int64) and
/// `more` opcodes of key and value.
class TorchWriter {
 public:
  TorchWriter(std::vector<std::string> keys, const std::map<std::string, at::Tensor>& tensors,
              const std::map<std::string, std::string>& more = {})
      : keys_(std::move(keys)), more_(more) {
    for (const auto& [name, tensor] : tensors) {
      names_.push_back(name);
      tensors_.push_back(tensor.detach().contiguous());
    }
  }

  [[nodiscard]] std::string zip() const {
    std::string out;
    std::string directory;
    std::uint16_t count = 0;
    const auto add = [&](const std::string& name, const std::string& data) {
      const auto size = static_cast<std::uint32_t>(data.size());
      // Version, flags, method, time, date; no checksum, as PyTorch writes it where they are off.
      const std::string fields = raw<std::uint16_t>(0) + raw<std::uint16_t>(0) +
                                 raw<std::uint32_t>(0) + raw<std::uint32_t>(0) + raw(size) +
                                 raw(size) + raw(static_cast<std::uint16_t>(name.size()));
      directory += std::string("PK\1\2", 4) + raw<std::uint16_t>(0) + raw<std::uint16_t>(0) +
                   fields + std::string(12, '\0') + raw(static_cast<std::uint32_t>(out.size())) +
                   name;
      out += std::string("PK\3\4", 4) + raw<std::uint16_t>(0) + fields + raw<std::uint16_t>(0) +
             name + data;
      ++count;
    };
    add("archive/data.pkl", object(false));
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      add("archive/data/" + std::to_string(i), bytes(i));
    }
    const auto begin = static_cast<std::uint32_t>(out.size());
    return out + directory + std::string("PK\5\6", 4) + raw<std::uint32_t>(0) + raw(count) +
           raw(count) + raw(static_cast<std::uint32_t>(directory.size())) + raw(begin) +
           raw<std::uint16_t>(0);
  }

  [[nodiscard]] std::string legacy() const {
    std::string out("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
    out += std::string("\x80\x02M\xe9\x03.", 6) + "\x80\x02}" + pickled_text("little_endian") +
           "\x88s." + object(true) + "\x80\x02](";
    for (std::size_t i = 0; i < tensors_.size(); ++i) out += pickled_text(std::to_string(i));
    out += "e.";
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      out += raw<std::int64_t>(tensors_[i].numel()) + bytes(i);
    }
    return out;
  }

 private:
  [[nodiscard]] std::string bytes(std::size_t i) const {
    return {static_cast<const char*>(tensors_[i].const_data_ptr()), tensors_[i].nbytes()};
  }

  static std::string tuple(at::IntArrayRef numbers) {
    std::string out = "(";
    for (const std::int64_t number : numbers) out += "\x8a\x08" + raw(number);
    return out + "t";
  }

  /// _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())
  [[nodiscard]] std::string pickled_tensor(std::size_t i, bool legacy) const {
    const at::Tensor& tensor = tensors_[i];
    const char* type = "FloatStorage";
    if (tensor.scalar_type() == at::kDouble) type = "DoubleStorage";
    if (tensor.scalar_type() == at::kLong) type = "LongStorage";
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled_text("storage") + "ctorch\n" + type +
           "\n" + pickled_text(std::to_string(i)) + pickled_text("cpu") + "\x8a\x08" +
           raw(tensor.numel()) + (legacy ? "N" : "") + "tQK" + std::string(1, '\0') +
           tuple(tensor.sizes()) + tuple(tensor.strides()) + "\x89" +
           "ccollections\nOrderedDict\n)RtR";
  }

  [[nodiscard]] std::string object(bool legacy) const {
    std::string out = "\x80\x02";
    for (const std::string& key : keys_) out.append("}").append(pickled_text(key));
    out += "ccollections\nOrderedDict\n)R(";
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      out += pickled_text(names_[i]) + pickled_tensor(i, legacy);
    }
    for (const auto& [key, value] : more_) out += pickled_text(key) + value;
    out += "u";
    for (std::size_t i = 0; i < keys_.size(); ++i) out += "s";
    return out + ".";
  }

  std::vector<std::string> keys_;
  std::map<std::string, std::string> more_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace longconv::testing
