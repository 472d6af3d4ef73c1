// Python's pickle, protocols 2 to 5, read as data and never executed.
//
// The machine of Lib/pickletools.py works on a stack and a memo. Here its values are nodes of a
// tree that say what was written: plain values and containers as such; `collections.OrderedDict()`
// as a dict; a call of one of the functions that rebuild tensors as a `call` that names it; a
// persistent id (torch's storages) as `persistent`. Every other global, object, call and state is
// `opaque`: it keeps the name of what it stands for, and nothing else happens.
//
// A hostile file costs no more than its budget: nodes lie in one array (so that depth and
// self-reference cost nothing to build or to free), text and bytes are views into the file, every
// length is checked before it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::files {

enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,      ///< fits int64
  big_integer,  ///< `text`: little-endian two's complement
  real,
  text,
  bytes,
  tuple,
  list,
  dict,  ///< `items`: key, value, key, value, ..
  set,
  global,      ///< module `text`, name `name`; one of those that tensors need
  call,        ///< of such a global; `items`: one tuple, its arguments
  persistent,  ///< `items`: one value, the id
  opaque,      ///< `text`, `name`: module and name of what it stands for, as far as known
};

/// The word used in messages.
std::string_view name(PickleKind kind) noexcept;

using PickleRef = std::uint32_t;  ///< index of a node

struct PickleNode {
  PickleKind kind = PickleKind::none;
  std::int64_t integer = 0;  ///< also of a boolean
  double real = 0.0;
  std::string_view text;
  std::string_view name;
  std::vector<PickleRef> items;
};

/// One pickle. Views point into the bytes it was read from. Containers may hold themselves.
class Pickle {
 public:
  /// Reads the pickle at the beginning of `bytes`, which begin at byte `offset` of `path` (for
  /// messages). `budget`: most bytes of memory it may take. Throws CheckpointError naming path and
  /// byte: truncated, an opcode of another protocol, a stack that is too short, too large.
  Pickle(std::span<const std::byte> bytes, const std::string& path, std::uint64_t offset,
         std::uint64_t budget);

  [[nodiscard]] PickleRef root() const { return root_; }
  [[nodiscard]] const PickleNode& at(PickleRef ref) const { return nodes_[ref]; }
  /// Nodes: refs are 0 to count() - 1.
  [[nodiscard]] std::size_t count() const { return nodes_.size(); }
  /// The bytes it took, STOP included.
  [[nodiscard]] std::size_t size() const { return size_; }

  /// The last value under a text key, as Python keeps it; nullopt if there is none or `ref` is no
  /// dict.
  [[nodiscard]] std::optional<PickleRef> find(PickleRef ref, std::string_view key) const;
  /// "module.name" for globals, calls and opaque values, else the kind's word.
  [[nodiscard]] std::string describe(PickleRef ref) const;

 private:
  friend class PickleMachine;
  std::vector<PickleNode> nodes_;
  PickleRef root_ = 0;
  std::size_t size_ = 0;
};

}  // namespace longconv::files
