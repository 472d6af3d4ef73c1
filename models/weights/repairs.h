// Names of published files to the names of models.md 2.2: what each kind of file has on top of
// them, or has differently, is a row of one table (repairs.cpp), applied in order and reported by
// name.
#pragma once

#include "core/files/safetensors.h"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace longconv::models {

/// Tensors under their present names.
struct NamedTensors {
  std::map<std::string, files::TensorView> tensors;
  std::map<std::string, std::string> unreadable;  ///< as in Source
  std::deque<std::vector<std::byte>> made;        ///< bytes of tensors that no file holds as such
};

struct RepairReport {
  std::vector<std::string> repaired;  ///< "model. taken off 120 names"
  std::vector<std::string> dropped;   ///< names, with the reason
};

/// Repairs the names of a Hyena language model (Hyena-GPT, HyenaDNA; safari, Lightning, Hugging
/// Face). Throws CheckpointError with `where` if two tensors would get one name.
RepairReport repair_hyena_names(NamedTensors& named, const std::string& where);

/// Those of an M2-BERT (models.md 3.2; Composer, Hugging Face). Position ids, if they are 0, 1, ..,
/// and FlashFFTConv's buffers are left out. Throws as repair_hyena_names() does.
RepairReport repair_m2_bert_names(NamedTensors& named, const std::string& where);

/// Those of a LongConv (models.md 4.2): safari's in Lightning files, and the stand-alone program's,
/// whose filters of 2 L taps around a circle are turned into a forward and a backward one of L
/// (LC-1). Throws as repair_hyena_names() does, and for filters of an odd number of taps there.
RepairReport repair_long_conv_names(NamedTensors& named, const std::string& where);

}  // namespace longconv::models
