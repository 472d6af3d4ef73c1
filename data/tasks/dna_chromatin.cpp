#include "data/tasks/dna_chromatin.h"

#include "core/base/check.h"
#include "data/formats/genome.h"
#include "data/formats/genome_tables.h"
#include "data/formats/idx_file.h"       // read_maybe_gzip
#include "data/tasks/dna_pretraining.h"  // open_genome_of
#include "data/tasks/dna_rows.h"

#define AT_PER_OPERATOR_HEADERS
#include <ATen/ops/empty.h>

#include <algorithm>

namespace longconv::data {

namespace {

constexpr std::size_t kMaxTable = std::size_t{1} << 34;  // the published one has 4 GB

}  // namespace

struct DnaChromatin::Impl {
  std::shared_ptr<const Genome> genome;
  DnaTokenizer tokenizer;
  ChromatinTable table;
  std::int64_t length = 0;
  bool end_symbol = true;
};

DnaChromatin::DnaChromatin(const DnaChromatinConfig& config) {
  auto impl = std::make_shared<Impl>();
  impl->genome = open_genome_of(config.genome);
  impl->length = config.seq_len();
  impl->end_symbol = config.end_symbol();
  if (impl->length % 2 != 0) config.seq_len.fail("expected an even number of bases");
  if (config.targets().empty()) config.targets.fail("no table given; expected a CSV file");
  const std::vector<std::byte> bytes = read_maybe_gzip(config.targets(), kMaxTable);
  impl->table = parse_chromatin({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                config.targets(), *impl->genome, config.labels());
  impl_ = std::move(impl);
}

std::int64_t DnaChromatin::size() const {
  return static_cast<std::int64_t>(impl_->table.places.size());
}
std::int64_t DnaChromatin::seq_len() const { return impl_->length + (impl_->end_symbol ? 1 : 0); }
const std::vector<std::string>& DnaChromatin::labels() const { return impl_->table.labels; }

Batch DnaChromatin::get(std::span<const std::int64_t> indices) const {
  const auto batch = static_cast<std::int64_t>(indices.size());
  const std::size_t labels = impl_->table.labels.size();
  Batch out{at::empty({batch, seq_len()}, at::kLong),
            at::empty({batch, static_cast<std::int64_t>(labels)}, at::kFloat)};
  auto* input = out.input.mutable_data_ptr<std::int64_t>();
  auto* target = out.target.mutable_data_ptr<float>();
  std::string bases;
  for (const std::int64_t index : indices) {
    LONGCONV_CHECK(index >= 0 && index < size(), DataError, "window {} asked for, there are {}",
                   index, size());
    const auto i = static_cast<std::size_t>(index);
    const ChromatinTable::Place& place = impl_->table.places[i];
    const std::int64_t start = place.start - (impl_->length - ChromatinTable::kWindow) / 2;
    const std::int64_t whole =
        impl_->genome->sequences()[static_cast<std::size_t>(place.sequence)].length;
    const std::int64_t begin = std::max<std::int64_t>(start, 0);
    const std::int64_t end = std::min(start + impl_->length, whole);
    bases.assign(static_cast<std::size_t>(impl_->length), '.');
    impl_->genome->read(place.sequence, begin,
                        std::span(bases).subspan(static_cast<std::size_t>(begin - start),
                                                 static_cast<std::size_t>(end - begin)));
    lay_row(impl_->tokenizer, bases, impl_->end_symbol,
            {input, static_cast<std::size_t>(seq_len())});
    input += seq_len();
    for (std::size_t label = 0; label < labels; ++label) {
      *target++ = impl_->table.has(i, label) ? 1.0F : 0.0F;
    }
  }
  return out;
}

}  // namespace longconv::data
