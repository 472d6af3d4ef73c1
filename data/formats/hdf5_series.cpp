#include "data/formats/hdf5_series.h"

#include "core/base/check.h"
#include "data/formats/hdf5_file.h"
#include "data/formats/hdf5_reader.h"

#include <algorithm>

namespace longconv::data {

bool is_series(const std::filesystem::path& path) {
  const hdf5::Reader file(path);
  const bool series = file.has("series");
  LONGCONV_CHECK(series || file.has("tokens"), DataError,
                 "{}: neither a dataset /tokens nor /series", path.string());
  return series;
}

Series read_series(const std::filesystem::path& path) {
  const hdf5::Reader file(path);
  const hdf5::Dataset values = file.dataset("series", 3);
  LONGCONV_CHECK(values.is_real(), DataError, "{}: expected floats of 32 or 64 bits", values.where);
  Series out;
  out.subjects = static_cast<std::int64_t>(values.shape[0]);
  out.length = static_cast<std::int64_t>(values.shape[1]);
  out.channels = static_cast<std::int64_t>(values.shape[2]);
  // S T fits where there are elements. Where there are none, it could be any product.
  LONGCONV_CHECK(values.elements > 0, DataError, "{}: no values: [{}, {}, {}]", values.where,
                 out.subjects, out.length, out.channels);
  out.values = file.reals(values);

  const auto steps = static_cast<std::size_t>(out.subjects * out.length);
  if (file.has("mask")) {
    const hdf5::Dataset mask = file.dataset("mask", 2);
    LONGCONV_CHECK(
        mask.is_integer() && mask.shape[0] == values.shape[0] && mask.shape[1] == values.shape[1],
        DataError, "{}: expected integers [{}, {}] to match /series, the file has [{}, {}]",
        mask.where, out.subjects, out.length, mask.shape[0], mask.shape[1]);
    const std::vector<std::int64_t> all = file.integers(mask, 0, mask.shape[0]);
    out.mask.resize(steps);
    for (std::size_t i = 0; i < steps; ++i) {
      LONGCONV_CHECK(all[i] == 0 || all[i] == 1, DataError,
                     "{}: value {} at [{}, {}], expected 0 or 1", mask.where, all[i],
                     static_cast<std::int64_t>(i) / out.length,
                     static_cast<std::int64_t>(i) % out.length);
      out.mask[i] = static_cast<std::uint8_t>(all[i]);
    }
  } else {
    out.mask.assign(steps, 1);
  }
  if (file.has("labels")) {
    const hdf5::Dataset labels = file.dataset("labels", 1);
    LONGCONV_CHECK(labels.is_integer() && labels.shape[0] == values.shape[0], DataError,
                   "{}: expected {} integers, one a subject, the file has {}", labels.where,
                   out.subjects, labels.shape[0]);
    out.labels = file.integers(labels, 0, labels.shape[0]);
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
