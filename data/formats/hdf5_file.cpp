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

}  // namespace

Session::Session() : lock_(library_mutex()) {
  H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Session::~Session() { H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_); }

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
