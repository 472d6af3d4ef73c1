#include "data/formats/hdf5_file.h"

#include "core/base/check.h"
#include "core/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace longconv::data::hdf5 {

namespace {

namespace fs = std::filesystem;

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

/// The innermost description on HDF5's error stack: the one that says what really went wrong.
std::string last_words() {
  std::string words;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_DOWNWARD,
      [](unsigned /*n*/, const H5E_error2_t* error, void* out) -> herr_t {
        if (error->desc != nullptr) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &words);
  H5Eclear2(H5E_DEFAULT);
  return words.empty() ? "no reason given by HDF5" : words;
}

// Deflate, the densest of HDF5's usual filters, cannot pack tighter than this.
constexpr std::uint64_t kMaxCompression = 1032;

std::uint64_t stored_bytes(const Handle& dataset) {
  const Handle plist(H5Dget_create_plist(dataset.get()), &H5Pclose);
  const bool filtered = plist.valid() && H5Pget_nfilters(plist.get()) > 0;
  const std::uint64_t stored = H5Dget_storage_size(dataset.get());
  return filtered ? stored * kMaxCompression : stored;
}

Handle memory_space(std::uint64_t count) {
  const hsize_t dims[] = {count};
  return {H5Screate_simple(1, dims, nullptr), &H5Sclose};
}

Handle selected_space(const Handle& dataset, std::uint64_t first, std::uint64_t count) {
  Handle space(H5Dget_space(dataset.get()), &H5Sclose);
  const hsize_t start[] = {first};
  const hsize_t size[] = {count};
  if (space.valid() &&
      H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, size, nullptr) < 0) {
    space.reset();
  }
  return space;
}

Handle open_attribute(const Handle& file, const fs::path& path, const char* name) {
  LONGCONV_CHECK(
      H5Aexists(file.get(), name) > 0, DataError,
      "{}: no attribute {}; a token container has eos_id, vocab_size and tokenizer_sha256",
      path.string(), name);
  Handle attribute(H5Aopen(file.get(), name, H5P_DEFAULT), &H5Aclose);
  LONGCONV_CHECK(attribute.valid(), DataError, "{}: attribute {}: {}", path.string(), name,
                 last_words());
  const Handle space(H5Aget_space(attribute.get()), &H5Sclose);
  LONGCONV_CHECK(space.valid() && H5Sget_simple_extent_npoints(space.get()) == 1, DataError,
                 "{}: attribute {}: expected one value", path.string(), name);
  return attribute;
}

}  // namespace

Session::Session() : lock_(library_mutex()) {
  H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Session::~Session() { H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_); }

Handle open_file(const fs::path& path) {
  std::error_code error;
  LONGCONV_CHECK(fs::is_regular_file(path, error), DataError, "{}: no such file", path.string());
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), &H5Fclose);
  LONGCONV_CHECK(file.valid(), DataError, "{}: not a readable HDF5 file: {}", path.string(),
                 last_words());
  return file;
}

bool has_dataset(const Handle& file, const char* name) {
  return H5Lexists(file.get(), name, H5P_DEFAULT) > 0;
}

Dataset open_dataset(const Handle& file, const fs::path& path, const char* name, int rank) {
  Dataset out;
  out.where = fmt::format("{}: /{}", path.string(), name);
  LONGCONV_CHECK(has_dataset(file, name), DataError, "{}: no such dataset", out.where);
  out.handle = Handle(H5Dopen2(file.get(), name, H5P_DEFAULT), &H5Dclose);
  LONGCONV_CHECK(out.handle.valid(), DataError, "{}: {}", out.where, last_words());
  const Handle type(H5Dget_type(out.handle.get()), &H5Tclose);
  const Handle space(H5Dget_space(out.handle.get()), &H5Sclose);
  LONGCONV_CHECK(type.valid() && space.valid(), DataError, "{}: {}", out.where, last_words());
  out.type_class = H5Tget_class(type.get());
  out.element_bytes = H5Tget_size(type.get());

  const int dimensions = H5Sget_simple_extent_ndims(space.get());
  LONGCONV_CHECK(dimensions == rank, DataError, "{}: expected {} dimensions, the file has {}",
                 out.where, rank, dimensions);
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
  out.shape.assign(dims.begin(), dims.end());

  std::uint64_t bytes = out.element_bytes;
  out.elements = 1;
  for (const std::uint64_t size : out.shape) {
    std::uint64_t product = 0;
    LONGCONV_CHECK(!__builtin_mul_overflow(bytes, size, &product), DataError,
                   "{}: its size overflows; the file is damaged", out.where);
    bytes = product;
    out.elements *= size;
  }
  const std::uint64_t on_disk = H5Dget_storage_size(out.handle.get());
  LONGCONV_CHECK(on_disk <= fs::file_size(path), DataError,
                 "{}: stores {} bytes, more than the whole file", out.where, on_disk);
  const std::uint64_t stored = stored_bytes(out.handle);
  LONGCONV_CHECK(bytes <= stored, DataError,
                 "{}: promises {} elements of {} bytes, but the file stores at most {} bytes of it",
                 out.where, out.elements, out.element_bytes, stored);
  return out;
}

void read_slice(const Dataset& dataset, std::uint64_t first, std::uint64_t count, hid_t memory_type,
                void* out) {
  if (count == 0) return;
  const Handle memory = memory_space(count);
  const Handle file = selected_space(dataset.handle, first, count);
  const bool fine =
      memory.valid() && file.valid() &&
      H5Dread(dataset.handle.get(), memory_type, memory.get(), file.get(), H5P_DEFAULT, out) >= 0;
  LONGCONV_CHECK(fine, DataError, "{}: elements [{}, {}) cannot be read: {}", dataset.where, first,
                 first + count, last_words());
}

void read_all(const Dataset& dataset, hid_t memory_type, void* out) {
  if (dataset.elements == 0) return;
  LONGCONV_CHECK(
      H5Dread(dataset.handle.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0,
      DataError, "{}: cannot be read: {}", dataset.where, last_words());
}

std::int64_t read_integer_attribute(const Handle& file, const fs::path& path, const char* name) {
  const Handle attribute = open_attribute(file, path, name);
  const Handle type(H5Aget_type(attribute.get()), &H5Tclose);
  std::int64_t value = 0;
  LONGCONV_CHECK(H5Tget_class(type.get()) == H5T_INTEGER &&
                     H5Aread(attribute.get(), H5T_NATIVE_INT64, &value) >= 0,
                 DataError, "{}: attribute {}: expected an integer", path.string(), name);
  return value;
}

std::string read_text_attribute(const Handle& file, const fs::path& path, const char* name) {
  const Handle attribute = open_attribute(file, path, name);
  const Handle type(H5Aget_type(attribute.get()), &H5Tclose);
  LONGCONV_CHECK(H5Tget_class(type.get()) == H5T_STRING, DataError,
                 "{}: attribute {}: expected a string", path.string(), name);
  constexpr std::size_t kMaxText = 4096;  // a hash has 64
  std::string value;
  bool fine = false;
  if (H5Tis_variable_str(type.get()) > 0) {
    char* text = nullptr;
    fine = H5Aread(attribute.get(), type.get(), &text) >= 0 && text != nullptr;
    if (fine) value = text;
    H5free_memory(text);
  } else {
    const std::size_t size = H5Tget_size(type.get());
    if (size > 0 && size <= kMaxText) {
      value.resize(size);
      fine = H5Aread(attribute.get(), type.get(), value.data()) >= 0;
      value.resize(std::strlen(value.c_str()) < size ? std::strlen(value.c_str()) : size);
    }
  }
  LONGCONV_CHECK(fine, DataError, "{}: attribute {}: cannot be read", path.string(), name);
  return value;
}

NewFile::NewFile(fs::path path)
    : path_(std::move(path)),
      temporary_(fmt::format("{}.tmp-{}", path_.string(), ::getpid())),
      file_(H5Fcreate(temporary_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), &H5Fclose) {
  check(file_.valid(), "cannot be created");
}

NewFile::~NewFile() {
  file_.reset();
  std::error_code error;
  fs::remove(temporary_, error);  // gone already if it was committed
}

void NewFile::check(bool fine, std::string_view what) const {
  LONGCONV_CHECK(fine, EnvironmentError, "{}: {}: {}", path_.string(), what, last_words());
}

Handle NewFile::create(const char* name, std::span<const std::uint64_t> shape, hid_t file_type) {
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                     &H5Sclose);
  Handle dataset(space.valid() ? H5Dcreate2(file_.get(), name, file_type, space.get(), H5P_DEFAULT,
                                            H5P_DEFAULT, H5P_DEFAULT)
                               : hid_t{-1},
                 &H5Dclose);
  check(dataset.valid(), fmt::format("dataset /{} cannot be created", name));
  return dataset;
}

void NewFile::write_slice(const Handle& dataset, std::uint64_t first, std::uint64_t count,
                          hid_t memory_type, const void* data) {
  if (count == 0) return;
  const Handle memory = memory_space(count);
  const Handle file = selected_space(dataset, first, count);
  check(memory.valid() && file.valid() &&
            H5Dwrite(dataset.get(), memory_type, memory.get(), file.get(), H5P_DEFAULT, data) >= 0,
        "cannot be written");
}

void NewFile::write_all(const Handle& dataset, hid_t memory_type, const void* data) {
  check(H5Dwrite(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0,
        "cannot be written");
}

void NewFile::integer_attribute(const char* name, std::int64_t value) {
  const Handle space(H5Screate(H5S_SCALAR), &H5Sclose);
  const Handle attribute(
      H5Acreate2(file_.get(), name, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
      &H5Aclose);
  check(attribute.valid() && H5Awrite(attribute.get(), H5T_NATIVE_INT64, &value) >= 0, name);
}

void NewFile::text_attribute(const char* name, const std::string& value) {
  const Handle space(H5Screate(H5S_SCALAR), &H5Sclose);
  const Handle type(H5Tcopy(H5T_C_S1), &H5Tclose);
  H5Tset_size(type.get(), value.size());
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  const Handle attribute(
      H5Acreate2(file_.get(), name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), &H5Aclose);
  check(attribute.valid() && H5Awrite(attribute.get(), type.get(), value.data()) >= 0, name);
}

void NewFile::commit() {
  check(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL) >= 0, "cannot be written");
  file_.reset();
  const int descriptor = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  LONGCONV_CHECK(synced, EnvironmentError, "{}: cannot be written: {}", path_.string(),
                 std::strerror(reason));
  std::error_code error;
  fs::rename(temporary_, path_, error);
  LONGCONV_CHECK(!error, EnvironmentError, "{}: cannot be written: {}", path_.string(),
                 error.message());
  files::sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

}  // namespace longconv::data::hdf5
