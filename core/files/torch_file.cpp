#include "core/files/torch_file.h"

#include "core/base/check.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace longconv::files {
namespace {

// torch/serialization.py: MAGIC_NUMBER 0x1950a86a20f9469cfc6c as a pickle writes it, and
// PROTOCOL_VERSION 1001.
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kLegacyProtocol = 1001;
constexpr std::string_view kZipBegin("PK\x03\x04", 4);
// How a legacy file begins: PROTO 2, LONG1, 10 bytes.
constexpr std::string_view kLegacyBegin("\x80\x02\x8a\x0a", 4);
// What the values of a small file may take; a large file may take its own size.
constexpr std::uint64_t kMinBudget = std::uint64_t{64} << 20;
constexpr std::size_t kMaxDimensions = 64;  // LibTorch's own limit
constexpr int kMaxWrappers = 8;             // parameters of parameters: PyTorch writes one

struct StorageType {
  std::string_view name;
  Dtype dtype;
};
constexpr StorageType kStorageTypes[] = {
    {"FloatStorage", Dtype::f32},     {"DoubleStorage", Dtype::f64}, {"HalfStorage", Dtype::f16},
    {"BFloat16Storage", Dtype::bf16}, {"LongStorage", Dtype::i64},   {"IntStorage", Dtype::i32},
    {"ShortStorage", Dtype::i16},     {"CharStorage", Dtype::i8},    {"ByteStorage", Dtype::u8},
    {"BoolStorage", Dtype::boolean},
};

std::string_view first_bytes(std::span<const std::byte> bytes, std::size_t count) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(count, bytes.size())};
}

/// torch's persistent id: ("storage", type, key, device, elements[, view]).
struct StorageId {
  std::string_view key;
  std::uint64_t elements = 0;
  std::optional<Dtype> dtype;  ///< nullopt: a type we do not read
  std::string type;            ///< for messages
};

/// nullopt if `ref` is no such id.
std::optional<StorageId> storage_id(const Pickle& pickle, PickleRef ref) {
  if (pickle.at(ref).kind != PickleKind::persistent) return std::nullopt;
  const PickleNode& id = pickle.at(pickle.at(ref).items[0]);
  if (id.kind != PickleKind::tuple || id.items.size() < 5) return std::nullopt;
  const auto item = [&](std::size_t i) -> const PickleNode& { return pickle.at(id.items[i]); };
  if (item(0).kind != PickleKind::text || item(0).text != "storage" ||
      item(2).kind != PickleKind::text || item(4).kind != PickleKind::integer ||
      item(4).integer < 0) {
    return std::nullopt;
  }
  // A view into another storage, as PyTorch before 0.4 wrote it: no file of ours needs it.
  if (id.items.size() > 5 && item(5).kind != PickleKind::none) return std::nullopt;
  StorageId out{item(2).text, static_cast<std::uint64_t>(item(4).integer), std::nullopt,
                pickle.describe(id.items[1])};
  if (item(1).kind == PickleKind::global) {
    for (const StorageType& type : kStorageTypes) {
      if (type.name == item(1).name) out.dtype = type.dtype;
    }
  }
  return out;
}

/// A tuple or torch.Size of integers >= 0; nullopt if it is none.
std::optional<std::vector<std::int64_t>> numbers(const Pickle& pickle, PickleRef ref) {
  const PickleNode& tuple = pickle.at(ref);
  if (tuple.kind != PickleKind::tuple || tuple.items.size() > kMaxDimensions) return std::nullopt;
  std::vector<std::int64_t> out;
  for (const PickleRef item : tuple.items) {
    if (pickle.at(item).kind != PickleKind::integer || pickle.at(item).integer < 0) {
      return std::nullopt;
    }
    out.push_back(pickle.at(item).integer);
  }
  return out;
}

template <std::size_t kBytes>
void gather(const std::byte* from, std::byte* to, const std::vector<std::int64_t>& shape,
            const std::vector<std::int64_t>& strides) {
  // An odometer over all dimensions but the last, which is the inner loop.
  std::vector<std::int64_t> at(shape.size(), 0);
  const std::size_t last = shape.size() - 1;
  while (true) {
    std::int64_t row = 0;
    for (std::size_t d = 0; d < last; ++d) row += at[d] * strides[d];
    for (std::int64_t i = 0; i < shape[last]; ++i) {
      const auto offset = static_cast<std::size_t>(row + i * strides[last]);
      std::memcpy(to, from + offset * kBytes, kBytes);
      to += kBytes;
    }
    std::size_t d = last;
    while (d > 0 && ++at[d - 1] == shape[d - 1]) at[--d] = 0;
    if (d == 0) return;
  }
}

}  // namespace

bool TorchArchive::recognises(std::span<const std::byte> bytes) noexcept {
  return first_bytes(bytes, 4) == kZipBegin || first_bytes(bytes, 4) == kLegacyBegin;
}

TorchArchive::TorchArchive(std::span<const std::byte> bytes, const std::string& path)
    : path_(path), bytes_(bytes) {
  LONGCONV_CHECK(recognises(bytes), CheckpointError,
                 "{}: expected a file of torch.save (a zip archive, or a pickle that begins with "
                 "PyTorch's magic number), got neither",
                 path);
  legacy_ = first_bytes(bytes, 4) == kLegacyBegin;
  if (legacy_) {
    read_legacy(path);
  } else {
    read_zip(path);
  }
}

void TorchArchive::read_zip(const std::string& path) {
  members_ = parse_zip(bytes_, path);
  std::string folder;
  for (const auto& [name, member] : members_) {
    if (name.ends_with("/data.pkl") && name.find('/') == name.size() - 9) {
      LONGCONV_CHECK(folder.empty(), CheckpointError, "{}: two members are called data.pkl", path);
      folder = name.substr(0, name.size() - 8);
    }
  }
  LONGCONV_CHECK(!folder.empty(), CheckpointError,
                 "{}: a zip archive of {} members, but none is NAME/data.pkl; not written by "
                 "torch.save",
                 path, members_.size());
  const std::uint64_t budget = std::max<std::uint64_t>(bytes_.size(), kMinBudget);
  const auto contents = [&](const std::string& name) -> std::span<const std::byte> {
    const ZipMember& member = members_.at(name);
    if (!member.deflated) return member.data;
    return held_.emplace_back(inflate(member, budget, path + ": " + name));
  };
  if (const std::string order = folder + "byteorder"; members_.count(order) != 0) {
    const std::string_view word = first_bytes(contents(order), 16);
    LONGCONV_CHECK(word == "little", CheckpointError,
                   "{}: expected little-endian numbers, byteorder says \"{}\"", path, word);
  }
  const std::string name = folder + "data.pkl";
  const std::span<const std::byte> object = contents(name);
  LONGCONV_CHECK(has_its_checksum(members_.at(name).crc32, object), CheckpointError,
                 "{}: {}: its checksum is wrong; the file is damaged", path, name);
  pickle_ = std::make_unique<Pickle>(object, path + ": " + name, 0, budget);
  const std::string prefix = folder + "data/";
  for (auto at = members_.lower_bound(prefix);
       at != members_.end() && at->first.starts_with(prefix); ++at) {
    storages_[at->first.substr(prefix.size())] = {at->second.data, &at->second};
  }
}

void TorchArchive::read_legacy(const std::string& path) {
  const std::uint64_t budget = std::max<std::uint64_t>(bytes_.size(), kMinBudget);
  std::size_t at = 0;
  const auto next = [&] {
    auto pickle = std::make_unique<Pickle>(bytes_.subspan(at), path, at, budget);
    at += pickle->size();
    return pickle;
  };
  const auto magic = next();
  const PickleNode& number = magic->at(magic->root());
  LONGCONV_CHECK(number.kind == PickleKind::big_integer && number.text == kMagic, CheckpointError,
                 "{}: expected a file of torch.save, but its magic number is another", path);
  const auto protocol = next();
  const PickleNode& version = protocol->at(protocol->root());
  LONGCONV_CHECK(version.kind == PickleKind::integer && version.integer == kLegacyProtocol,
                 CheckpointError, "{}: expected torch.save's protocol {}, got {} {}", path,
                 kLegacyProtocol, name(version.kind), version.integer);
  const auto system = next();
  if (const auto little = system->find(system->root(), "little_endian")) {
    LONGCONV_CHECK(system->at(*little).integer != 0, CheckpointError,
                   "{}: expected little-endian numbers, the file has big-endian ones", path);
  }
  pickle_ = next();
  const auto keys = next();
  LONGCONV_CHECK(keys->at(keys->root()).kind == PickleKind::list, CheckpointError,
                 "{}: expected the list of its storages' keys, got a {}", path,
                 keys->describe(keys->root()));

  // Only the object knows the storages' types, and with them the lengths of what follows.
  std::map<std::string_view, StorageId> ids;
  for (PickleRef ref = 0; ref < pickle_->count(); ++ref) {
    const auto id = storage_id(*pickle_, ref);
    if (!id) continue;
    const auto [known, fresh] = ids.emplace(id->key, *id);
    LONGCONV_CHECK(fresh || known->second.dtype == id->dtype, CheckpointError,
                   "{}: storage {} has two types: {} and {}", path, id->key, known->second.type,
                   id->type);
  }
  for (const PickleRef ref : keys->at(keys->root()).items) {
    const std::string_view key = keys->at(ref).text;
    const auto id = ids.find(key);
    LONGCONV_CHECK(id != ids.end() && id->second.dtype, CheckpointError,
                   "{}: storage {}: {}, so that its length is not known", path, key.substr(0, 80),
                   id == ids.end() ? "no value refers to it" : "of type " + id->second.type);
    std::uint64_t elements = 0;
    LONGCONV_CHECK(bytes_.size() - at >= sizeof(elements), CheckpointError,
                   "{}: storage {} begins behind the file's end; is it truncated?", path, key);
    std::memcpy(&elements, bytes_.data() + at, sizeof(elements));
    at += sizeof(elements);
    const std::size_t element = size_of(*id->second.dtype);
    LONGCONV_CHECK(elements <= (bytes_.size() - at) / element, CheckpointError,
                   "{}: storage {}: {} elements of {} bytes, but {} bytes are left; is the file "
                   "truncated?",
                   path, key, elements, element, bytes_.size() - at);
    const Storage storage{bytes_.subspan(at, elements * element), nullptr};
    LONGCONV_CHECK(storages_.emplace(key, storage).second, CheckpointError,
                   "{}: storage {} comes twice", path, key);
    at += elements * element;
  }
}

void TorchArchive::fail(const std::string& name, const std::string& what) const {
  throw CheckpointError(fmt::format("{}: tensor {}: {}", path_, name, what));
}

std::optional<PickleRef> TorchArchive::rebuild_call(PickleRef ref) const {
  for (int depth = 0; depth < kMaxWrappers; ++depth) {
    const PickleNode& call = pickle_->at(ref);
    if (call.kind != PickleKind::call || call.text != "torch._utils") return std::nullopt;
    if (!call.name.starts_with("_rebuild_parameter")) return ref;
    const PickleNode& arguments = pickle_->at(call.items[0]);
    if (arguments.items.empty()) return std::nullopt;
    ref = arguments.items[0];
  }
  return std::nullopt;
}

bool TorchArchive::is_tensor(PickleRef ref) const { return rebuild_call(ref).has_value(); }

std::span<const std::byte> TorchArchive::storage_bytes(PickleRef ref, const std::string& name,
                                                       Dtype& dtype) {
  const auto id = storage_id(*pickle_, ref);
  if (!id) fail(name, "expected a storage, got " + pickle_->describe(ref));
  if (!id->dtype) fail(name, "its storage has a type that is not read: " + id->type);
  dtype = *id->dtype;
  const auto found = storages_.find(id->key);
  if (found == storages_.end()) {
    fail(name, fmt::format("its storage {} is not in the file", id->key.substr(0, 80)));
  }
  Storage& storage = found->second;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(id->elements, size_of(dtype), &bytes)) {
    fail(name, fmt::format("its storage claims {} elements", id->elements));
  }
  const std::uint64_t there =
      storage.member != nullptr ? storage.member->size : storage.data.size();
  if (bytes != there) {
    fail(name, fmt::format("its storage {} claims {} elements ({} bytes), but has {} bytes",
                           id->key.substr(0, 80), id->elements, bytes, there));
  }
  if (storage.member != nullptr && storage.member->deflated) {
    storage.data = held_.emplace_back(inflate(*storage.member, bytes, path_ + ": tensor " + name));
    if (!has_its_checksum(storage.member->crc32, storage.data)) {
      fail(name, "the checksum of its storage is wrong; the file is damaged");
    }
    storage.member = nullptr;
  }
  return storage.data;
}

TensorView TorchArchive::tensor(PickleRef ref, const std::string& name) {
  const auto call = rebuild_call(ref);
  if (!call) fail(name, "expected a tensor, got " + pickle_->describe(ref));
  const PickleNode& arguments = pickle_->at(pickle_->at(*call).items[0]);
  if (arguments.items.size() < 4) fail(name, "it is rebuilt from fewer than 4 values");
  const PickleNode& offset = pickle_->at(arguments.items[1]);
  const auto shape = numbers(*pickle_, arguments.items[2]);
  const auto strides = numbers(*pickle_, arguments.items[3]);
  if (!shape || !strides || shape->size() != strides->size() ||
      offset.kind != PickleKind::integer || offset.integer < 0) {
    fail(name, "expected an offset, a shape and as many strides, all integers >= 0");
  }
  TensorView view;
  view.name = name;
  view.shape = *shape;
  const std::span<const std::byte> storage = storage_bytes(arguments.items[0], name, view.dtype);
  view.data = row_major(storage, offset.integer, *shape, *strides, size_of(view.dtype), name);
  return view;
}

std::span<const std::byte> TorchArchive::row_major(std::span<const std::byte> storage,
                                                   std::int64_t offset,
                                                   const std::vector<std::int64_t>& shape,
                                                   const std::vector<std::int64_t>& strides,
                                                   std::size_t element, const std::string& name) {
  const auto count = element_count(shape);
  if (!count) fail(name, "shape " + shape_words(shape) + " has more elements than memory");
  if (*count == 0) return {};
  // The last element it touches, and whether its elements lie one behind the other.
  std::int64_t last = offset;
  std::int64_t dense = 1;
  bool overflow = false;
  bool contiguous = true;
  for (std::size_t d = shape.size(); d-- > 0;) {
    std::int64_t reach = 0;
    overflow = overflow || __builtin_mul_overflow(shape[d] - 1, strides[d], &reach) ||
               __builtin_add_overflow(last, reach, &last);
    contiguous = contiguous && (shape[d] == 1 || strides[d] == dense);
    dense *= shape[d];
  }
  const auto elements = static_cast<std::int64_t>(storage.size() / element);
  if (overflow || last >= elements) {
    fail(name, fmt::format("shape {}, strides {} from element {} reach beyond its storage of {}",
                           shape_words(shape), shape_words(strides), offset, elements));
  }
  if (contiguous) {
    // All of it lies in the storage, so that no product here can overflow.
    return storage.subspan(static_cast<std::size_t>(offset) * element,
                           static_cast<std::size_t>(*count) * element);
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(*count), element, &bytes) ||
      bytes > bytes_.size() - gathered_) {
    fail(name, fmt::format("shape {} with strides {} unfolds to more bytes than the file has",
                           shape_words(shape), shape_words(strides)));
  }
  gathered_ += bytes;
  std::vector<std::byte>& out = held_.emplace_back(bytes);
  const std::byte* from = storage.data() + static_cast<std::size_t>(offset) * element;
  switch (element) {
    case 1:
      gather<1>(from, out.data(), shape, strides);
      break;
    case 2:
      gather<2>(from, out.data(), shape, strides);
      break;
    case 4:
      gather<4>(from, out.data(), shape, strides);
      break;
    default:
      gather<8>(from, out.data(), shape, strides);
  }
  return out;
}

std::vector<std::string> TorchArchive::damaged_storages() const {
  std::vector<std::string> out;
  for (const auto& [key, storage] : storages_) {
    const ZipMember* member = storage.member;
    if (member == nullptr || member->deflated) continue;  // inflating checks
    if (!has_its_checksum(member->crc32, member->data)) out.push_back(key);
  }
  return out;
}

TorchFile::TorchFile(const std::filesystem::path& path)
    : file_(map_weights(path)),
      archive_(std::make_unique<TorchArchive>(file_.bytes(), path.string())) {}

}  // namespace longconv::files
