#include "data/formats/hdf5_series.h"

#include "core/base/check.h"
#include "data/formats/hdf5_file.h"

#include <algorithm>

namespace longconv::data {

bool is_series(const std::filesystem::path& path) {
  const hdf5::Session session;
  const hdf5::Handle file = hdf5::open_file(path);
  const bool series = hdf5::has_dataset(file, "series");
  LONGCONV_CHECK(series || hdf5::has_dataset(file, "tokens"), DataError,
                 "{}: neither a dataset /tokens nor /series", path.string());
  return series;
}

Series read_series(const std::filesystem::path& path) {
  const hdf5::Session session;
  const hdf5::Handle file = hdf5::open_file(path);
  const hdf5::Dataset values = hdf5::open_dataset(file, path, "series", 3);
  LONGCONV_CHECK(values.type_class == H5T_FLOAT, DataError, "{}: expected floating-point numbers",
                 values.where);
  Series out;
  out.subjects = static_cast<std::int64_t>(values.shape[0]);
  out.length = static_cast<std::int64_t>(values.shape[1]);
  out.channels = static_cast<std::int64_t>(values.shape[2]);
  out.values.resize(values.elements);
  hdf5::read_all(values, H5T_NATIVE_FLOAT, out.values.data());

  // S T fits: it divides what has just been allocated, unless C is 0.
  LONGCONV_CHECK(out.channels > 0, DataError, "{}: no channels", values.where);
  const auto steps = static_cast<std::size_t>(out.subjects * out.length);
  if (hdf5::has_dataset(file, "mask")) {
    const hdf5::Dataset mask = hdf5::open_dataset(file, path, "mask", 2);
    LONGCONV_CHECK(mask.type_class == H5T_INTEGER && mask.shape[0] == values.shape[0] &&
                       mask.shape[1] == values.shape[1],
                   DataError,
                   "{}: expected integers [{}, {}] to match /series, the file has [{}, {}]",
                   mask.where, out.subjects, out.length, mask.shape[0], mask.shape[1]);
    out.mask.resize(steps);
    hdf5::read_all(mask, H5T_NATIVE_UINT8, out.mask.data());
    for (std::size_t i = 0; i < steps; ++i) {
      LONGCONV_CHECK(out.mask[i] <= 1, DataError, "{}: value {} at [{}, {}], expected 0 or 1",
                     mask.where, out.mask[i], static_cast<std::int64_t>(i) / out.length,
                     static_cast<std::int64_t>(i) % out.length);
    }
  } else {
    out.mask.assign(steps, 1);
  }
  if (hdf5::has_dataset(file, "labels")) {
    const hdf5::Dataset labels = hdf5::open_dataset(file, path, "labels", 1);
    LONGCONV_CHECK(labels.type_class == H5T_INTEGER && labels.shape[0] == values.shape[0],
                   DataError, "{}: expected {} integers, one a subject, the file has {}",
                   labels.where, out.subjects, labels.shape[0]);
    out.labels.resize(labels.elements);
    hdf5::read_all(labels, H5T_NATIVE_INT64, out.labels.data());
  }
  return out;
}

void write_series(const std::filesystem::path& path, const Series& series) {
  const auto steps = static_cast<std::size_t>(series.subjects * series.length);
  const bool fits =
      series.values.size() == steps * static_cast<std::size_t>(series.channels) &&
      series.mask.size() == steps &&
      (series.labels.empty() || series.labels.size() == static_cast<std::size_t>(series.subjects));
  LONGCONV_CHECK(fits, DataError,
                 "{}: a series [{}, {}, {}] cannot have {} values, {} mask entries and {} labels",
                 path.string(), series.subjects, series.length, series.channels,
                 series.values.size(), series.mask.size(), series.labels.size());
  const std::uint64_t shape[] = {static_cast<std::uint64_t>(series.subjects),
                                 static_cast<std::uint64_t>(series.length),
                                 static_cast<std::uint64_t>(series.channels)};
  const hdf5::Session session;
  hdf5::NewFile file(path);
  {
    const auto values = file.create("series", shape, H5T_IEEE_F32LE);
    file.write_all(values, H5T_NATIVE_FLOAT, series.values.data());
    const auto mask = file.create("mask", std::span(shape).first(2), H5T_STD_U8LE);
    file.write_all(mask, H5T_NATIVE_UINT8, series.mask.data());
    if (!series.labels.empty()) {
      const auto labels = file.create("labels", std::span(shape).first(1), H5T_STD_I64LE);
      file.write_all(labels, H5T_NATIVE_INT64, series.labels.data());
    }
  }
  file.commit();
}

}  // namespace longconv::data
