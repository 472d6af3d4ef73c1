#include "core/files/pickle.h"

#include "core/base/check.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

namespace longconv::files {
namespace {

struct Global {
  std::string_view module;
  std::string_view name;
};

/// What a state dict is made of. Calling one of these gives a `call` node, which core/files/
/// torch_file.h understands; nothing else can be called.
constexpr Global kKnown[] = {
    {"torch._utils", "_rebuild_tensor"},
    {"torch._utils", "_rebuild_tensor_v2"},
    {"torch._utils", "_rebuild_parameter"},
    {"torch._utils", "_rebuild_parameter_with_state"},
    {"torch", "FloatStorage"},
    {"torch", "DoubleStorage"},
    {"torch", "HalfStorage"},
    {"torch", "BFloat16Storage"},
    {"torch", "LongStorage"},
    {"torch", "IntStorage"},
    {"torch", "ShortStorage"},
    {"torch", "CharStorage"},
    {"torch", "ByteStorage"},
    {"torch", "BoolStorage"},
};

/// Containers that Python writes as a call without or with one plain argument.
constexpr Global kDicts[] = {
    {"collections", "OrderedDict"}, {"builtins", "dict"}, {"__builtin__", "dict"}};
constexpr Global kTuples[] = {{"torch", "Size"}, {"builtins", "tuple"}, {"__builtin__", "tuple"}};
constexpr Global kLists[] = {{"builtins", "list"}, {"__builtin__", "list"}};
constexpr Global kSets[] = {{"builtins", "set"},
                            {"builtins", "frozenset"},
                            {"__builtin__", "set"},
                            {"__builtin__", "frozenset"}};

template <std::size_t kCount>
bool is_one_of(const Global (&table)[kCount], const PickleNode& node) {
  return std::any_of(std::begin(table), std::end(table), [&](const Global& global) {
    return global.module == node.text && global.name == node.name;
  });
}

bool is_container(const PickleNode& node) {
  return is_one_of(kDicts, node) || is_one_of(kTuples, node) || is_one_of(kLists, node) ||
         is_one_of(kSets, node);
}

}  // namespace

/// The machine: one opcode at a time.
class PickleMachine {
 public:
  PickleMachine(Pickle& out, std::span<const std::byte> bytes, const std::string& path,
                std::uint64_t offset, std::uint64_t budget)
      : out_(out), bytes_(bytes), path_(path), offset_(offset), budget_(budget) {}

  void run() {
    if (bytes_.size() < 2 || bytes_[0] != std::byte{0x80}) {
      fail("expected a pickle of protocol 2 to 5");
    }
    while (!stopped_) step();
    out_.size_ = at_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw CheckpointError(fmt::format("{}: pickle, byte {}: {}", path_, offset_ + begin_, what));
  }

  // -- reading

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size() - at_) {
      fail(fmt::format("wants {} bytes, but {} are left; the file is truncated or damaged", count,
                       bytes_.size() - at_));
    }
    const auto part = bytes_.subspan(at_, count);
    at_ += count;
    return part;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  template <class Length>
  std::string_view text() {
    const auto part = take(number<Length>());
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  std::string_view line() {
    const auto rest = bytes_.subspan(at_);
    const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
    if (end == rest.end()) fail("a line without an end; the file is truncated or damaged");
    const auto part = take(static_cast<std::uint64_t>(end - rest.begin()));
    at_ += 1;
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  // -- memory

  void charge(std::uint64_t bytes) {
    if (bytes > budget_) fail("it unfolds to more memory than a file of this size may take");
    budget_ -= bytes;
  }

  PickleNode& make(PickleKind kind) {
    // Twice: the array grows by doubling.
    charge(2 * sizeof(PickleNode));
    out_.nodes_.emplace_back();
    out_.nodes_.back().kind = kind;
    push(static_cast<PickleRef>(out_.nodes_.size() - 1));
    return out_.nodes_.back();
  }

  void push(PickleRef ref) {
    if (stack_.size() == stack_.capacity()) {
      charge(sizeof(PickleRef) * std::max<std::size_t>(stack_.capacity(), 16));
    }
    stack_.push_back(ref);
  }

  void append(PickleRef to, std::span<const PickleRef> items) {
    charge(2 * sizeof(PickleRef) * items.size());
    auto& list = out_.nodes_[to].items;
    list.insert(list.end(), items.begin(), items.end());
  }

  void remember(std::uint64_t key) {
    constexpr std::uint64_t kEntry = 64;  // of an unordered_map, its bucket included
    const auto [entry, fresh] = memo_.try_emplace(key, top());
    if (fresh) {
      charge(kEntry);
    } else {
      entry->second = top();
    }
  }

  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) fail(fmt::format("memo {} was never written", key));
    push(found->second);
  }

  // -- stack

  /// Values above the last mark.
  std::size_t above() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  void need(std::size_t count) const {
    if (above() < count) fail(fmt::format("wants {} values, the stack has {}", count, above()));
  }

  PickleRef top() const {
    need(1);
    return stack_.back();
  }

  PickleRef pop() {
    const PickleRef ref = top();
    stack_.pop_back();
    return ref;
  }

  /// Everything above the last mark, which goes too.
  std::vector<PickleRef> pop_mark() {
    if (marks_.empty()) fail("no mark on the stack");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<PickleRef> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }

  PickleNode& node(PickleRef ref) { return out_.nodes_[ref]; }

  // -- values

  void integer(std::int64_t value) { make(PickleKind::integer).integer = value; }

  void long_integer(std::span<const std::byte> digits) {
    if (digits.size() > sizeof(std::int64_t)) {
      make(PickleKind::big_integer).text = {reinterpret_cast<const char*>(digits.data()),
                                            digits.size()};
      return;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) {
      value |= static_cast<std::uint64_t>(digits[i]) << (8 * i);
    }
    if (!digits.empty() && digits.size() < sizeof(value) && (digits.back() >> 7) != std::byte{0}) {
      value |= ~std::uint64_t{0} << (8 * digits.size());  // the sign
    }
    integer(static_cast<std::int64_t>(value));
  }

  void tuple(std::size_t count) {
    need(count);
    const std::vector<PickleRef> items(stack_.end() - static_cast<std::ptrdiff_t>(count),
                                       stack_.end());
    stack_.resize(stack_.size() - count);
    make(PickleKind::tuple);
    append(stack_.back(), items);
  }

  void container_of_mark(PickleKind kind) {
    const std::vector<PickleRef> items = pop_mark();
    if (kind == PickleKind::dict && items.size() % 2 != 0) fail("a key without a value");
    make(kind);
    append(stack_.back(), items);
  }

  /// `items` join the container below them; an opaque one swallows them.
  void extend(PickleKind kind, const std::vector<PickleRef>& items) {
    if (kind == PickleKind::dict && items.size() % 2 != 0) fail("a key without a value");
    const PickleRef container = top();
    const PickleKind found = node(container).kind;
    if (found == kind) {
      append(container, items);
    } else if (found != PickleKind::opaque) {
      fail(fmt::format("items of a {} for a {}", name(kind), name(found)));
    }
  }

  std::vector<PickleRef> pop_several(std::size_t count) {
    need(count + 1);  // and what they are for
    std::vector<PickleRef> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  void global(std::string_view module, std::string_view word) {
    PickleNode& made = make(PickleKind::opaque);
    made.text = module;
    made.name = word;
    if (is_one_of(kKnown, made) || is_container(made)) made.kind = PickleKind::global;
  }

  void stack_global() {
    const PickleRef word = pop();
    const PickleRef module = pop();
    if (node(word).kind != PickleKind::text || node(module).kind != PickleKind::text) {
      fail("a global whose name is no text");
    }
    global(node(module).text, node(word).text);
  }

  /// An instance of, or whatever a call of `callee` would have given.
  void opaque(PickleRef callee) {
    PickleNode& made = make(PickleKind::opaque);
    const PickleNode& of = node(callee);
    made.text = of.text;
    made.name = of.name;
  }

  void reduce() {
    const PickleRef arguments = pop();
    const PickleRef callee = pop();
    const PickleNode& function = node(callee);
    if (function.kind != PickleKind::global || node(arguments).kind != PickleKind::tuple) {
      return opaque(callee);
    }
    if (is_container(function)) return container_call(callee, arguments);
    PickleNode& made = make(PickleKind::call);
    made.text = node(callee).text;  // make() may have moved the nodes
    made.name = node(callee).name;
    const PickleRef list[] = {arguments};
    append(stack_.back(), list);
  }

  /// list([..]), set([..]), Size((..)), OrderedDict() and OrderedDict([[key, value], ..]).
  void container_call(PickleRef callee, PickleRef arguments) {
    PickleKind kind = PickleKind::set;
    if (is_one_of(kDicts, node(callee))) kind = PickleKind::dict;
    if (is_one_of(kTuples, node(callee))) kind = PickleKind::tuple;
    if (is_one_of(kLists, node(callee))) kind = PickleKind::list;
    if (node(arguments).items.empty()) {
      make(kind);
      return;
    }
    const PickleRef given = node(arguments).items[0];
    const auto is_row = [&](PickleRef ref) {
      return node(ref).kind == PickleKind::list || node(ref).kind == PickleKind::tuple;
    };
    if (node(arguments).items.size() != 1 || !is_row(given)) return opaque(callee);
    std::vector<PickleRef> items;
    for (const PickleRef ref : node(given).items) {
      if (kind != PickleKind::dict) {
        items.push_back(ref);
      } else if (is_row(ref) && node(ref).items.size() == 2) {
        items.insert(items.end(), node(ref).items.begin(), node(ref).items.end());
      } else {
        return opaque(callee);
      }
    }
    make(kind);
    append(stack_.back(), items);
  }

  void persistent(PickleRef id) {
    make(PickleKind::persistent);
    const PickleRef list[] = {id};
    append(stack_.back(), list);
  }

  /// "12\n", "00\n", "01\n" and "12L\n": Python 2 wrote booleans so, protocol 2 included.
  void text_integer(std::string_view word) {
    if (word == "00" || word == "01") {
      make(PickleKind::boolean).integer = word == "01" ? 1 : 0;
      return;
    }
    fail(fmt::format("expected an opcode of protocol 2 to 5, got a text integer \"{}\"",
                     word.substr(0, 32)));
  }

  void step();
  bool value_opcode(std::uint8_t opcode);
  bool stack_opcode(std::uint8_t opcode);
  bool object_opcode(std::uint8_t opcode);

  Pickle& out_;
  std::span<const std::byte> bytes_;
  const std::string& path_;
  std::uint64_t offset_;
  std::uint64_t budget_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;  ///< of the present opcode
  bool stopped_ = false;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, PickleRef> memo_;
};

/// Numbers, text and bytes. Codes and names: Lib/pickletools.py.
bool PickleMachine::value_opcode(std::uint8_t opcode) {
  switch (opcode) {
    case 'N':  // NONE
      make(PickleKind::none);
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      make(PickleKind::boolean).integer = opcode == 0x88 ? 1 : 0;
      return true;
    case 'I':  // INT
      text_integer(line());
      return true;
    case 'J':  // BININT
      integer(number<std::int32_t>());
      return true;
    case 'K':  // BININT1
      integer(number<std::uint8_t>());
      return true;
    case 'M':  // BININT2
      integer(number<std::uint16_t>());
      return true;
    case 0x8a:  // LONG1
      long_integer(take(number<std::uint8_t>()));
      return true;
    case 0x8b:  // LONG4
      long_integer(take(number<std::uint32_t>()));
      return true;
    case 'G': {  // BINFLOAT, big-endian
      const auto bits = __builtin_bswap64(number<std::uint64_t>());
      make(PickleKind::real).real = std::bit_cast<double>(bits);
      return true;
    }
    case 'X':  // BINUNICODE
    case 'T':  // BINSTRING, Python 2's str
      make(PickleKind::text).text = text<std::uint32_t>();
      return true;
    case 0x8c:  // SHORT_BINUNICODE
    case 'U':   // SHORT_BINSTRING
      make(PickleKind::text).text = text<std::uint8_t>();
      return true;
    case 0x8d:  // BINUNICODE8
      make(PickleKind::text).text = text<std::uint64_t>();
      return true;
    case 'B':  // BINBYTES
      make(PickleKind::bytes).text = text<std::uint32_t>();
      return true;
    case 'C':  // SHORT_BINBYTES
      make(PickleKind::bytes).text = text<std::uint8_t>();
      return true;
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      make(PickleKind::bytes).text = text<std::uint64_t>();
      return true;
    default:
      return false;
  }
}

/// Containers, the stack and the memo.
bool PickleMachine::stack_opcode(std::uint8_t opcode) {
  switch (opcode) {
    case '(':  // MARK
      charge(2 * sizeof(std::size_t));
      marks_.push_back(stack_.size());
      return true;
    case '0':  // POP, of a value or of a mark
      if (above() == 0 && !marks_.empty()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case '1':  // POP_MARK
      pop_mark();
      return true;
    case '2':  // DUP
      push(top());
      return true;
    case ')':  // EMPTY_TUPLE
      tuple(0);
      return true;
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      tuple(opcode - 0x84U);
      return true;
    case 't':  // TUPLE
      container_of_mark(PickleKind::tuple);
      return true;
    case ']':  // EMPTY_LIST
      make(PickleKind::list);
      return true;
    case 'l':  // LIST
      container_of_mark(PickleKind::list);
      return true;
    case 'a':  // APPEND
      extend(PickleKind::list, pop_several(1));
      return true;
    case 'e':  // APPENDS
      extend(PickleKind::list, pop_mark());
      return true;
    case '}':  // EMPTY_DICT
      make(PickleKind::dict);
      return true;
    case 'd':  // DICT
      container_of_mark(PickleKind::dict);
      return true;
    case 's':  // SETITEM
      extend(PickleKind::dict, pop_several(2));
      return true;
    case 'u':  // SETITEMS
      extend(PickleKind::dict, pop_mark());
      return true;
    case 0x8f:  // EMPTY_SET
      make(PickleKind::set);
      return true;
    case 0x90:  // ADDITEMS
      extend(PickleKind::set, pop_mark());
      return true;
    case 0x91:  // FROZENSET
      container_of_mark(PickleKind::set);
      return true;
    case 'q':  // BINPUT
      remember(number<std::uint8_t>());
      return true;
    case 'r':  // LONG_BINPUT
      remember(number<std::uint32_t>());
      return true;
    case 0x94:  // MEMOIZE
      remember(memo_.size());
      return true;
    case 'h':  // BINGET
      recall(number<std::uint8_t>());
      return true;
    case 'j':  // LONG_BINGET
      recall(number<std::uint32_t>());
      return true;
    default:
      return false;
  }
}

/// Where Python would import, call or build.
bool PickleMachine::object_opcode(std::uint8_t opcode) {
  switch (opcode) {
    case 'c': {  // GLOBAL
      const std::string_view module = line();
      global(module, line());
      return true;
    }
    case 0x93:  // STACK_GLOBAL
      stack_global();
      return true;
    case 0x82:  // EXT1, EXT2, EXT4: a registry that files do not carry
      take(1);
      make(PickleKind::opaque);
      return true;
    case 0x83:
      take(2);
      make(PickleKind::opaque);
      return true;
    case 0x84:
      take(4);
      make(PickleKind::opaque);
      return true;
    case 'R':  // REDUCE
      reduce();
      return true;
    case 0x81: {  // NEWOBJ
      pop();
      opaque(pop());
      return true;
    }
    case 0x92: {  // NEWOBJ_EX
      pop();
      pop();
      opaque(pop());
      return true;
    }
    case 'o': {  // OBJ
      const std::vector<PickleRef> items = pop_mark();
      if (items.empty()) fail("an object without a class");
      opaque(items[0]);
      return true;
    }
    case 'b':  // BUILD: attributes, which nothing here has
      pop();
      top();
      return true;
    case 'Q':  // BINPERSID
      persistent(pop());
      return true;
    default:
      return false;
  }
}

void PickleMachine::step() {
  begin_ = at_;
  const auto opcode = number<std::uint8_t>();
  if (value_opcode(opcode) || stack_opcode(opcode) || object_opcode(opcode)) return;
  switch (opcode) {
    case 0x80: {  // PROTO
      const auto protocol = number<std::uint8_t>();
      if (protocol < 2 || protocol > 5) {
        fail(fmt::format("expected protocol 2 to 5, got {}", protocol));
      }
      return;
    }
    case 0x95:  // FRAME: a hint for streams
      if (number<std::uint64_t>() > bytes_.size() - at_) {
        fail("a frame reaches beyond the end; the file is truncated or damaged");
      }
      return;
    case '.':  // STOP
      out_.root_ = pop();
      stopped_ = true;
      return;
    default:
      fail(fmt::format("expected an opcode of protocol 2 to 5, got 0x{:02x}", opcode));
  }
}

std::string_view name(PickleKind kind) noexcept {
  constexpr std::string_view kWords[] = {"None", "boolean", "integer", "integer",       "float",
                                         "text", "bytes",   "tuple",   "list",          "dict",
                                         "set",  "global",  "call of", "persistent id", "object"};
  return kWords[static_cast<std::size_t>(kind)];
}

Pickle::Pickle(std::span<const std::byte> bytes, const std::string& path, std::uint64_t offset,
               std::uint64_t budget) {
  PickleMachine(*this, bytes, path, offset, budget).run();
}

std::optional<PickleRef> Pickle::find(PickleRef ref, std::string_view key) const {
  const PickleNode& dict = nodes_[ref];
  if (dict.kind != PickleKind::dict) return std::nullopt;
  for (std::size_t i = dict.items.size(); i >= 2; i -= 2) {
    const PickleNode& word = nodes_[dict.items[i - 2]];
    if (word.kind == PickleKind::text && word.text == key) return dict.items[i - 1];
  }
  return std::nullopt;
}

std::string Pickle::describe(PickleRef ref) const {
  constexpr std::size_t kMost = 80;  // a hostile name may be as long as the file
  const PickleNode& node = nodes_[ref];
  const std::string_view word = files::name(node.kind);
  if (node.name.empty()) return std::string(word);
  return fmt::format("{} {}.{}", word, node.text.substr(0, kMost), node.name.substr(0, kMost));
}

}  // namespace longconv::files
