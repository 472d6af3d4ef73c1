// One TOML file is one run: typed keys that know their default, range, help and place in the file.
//
// A section is a struct whose members are keys; the member's declaration is the only place where
// its name, default, range and help stand:
//
//   struct OptimConfig : config::Section {
//     explicit OptimConfig(Section* parent) : Section(parent, "optim", "The optimiser") {}
//     Key<double> lr{this, "lr", 6e-4, above(0.0), "peak learning rate"};
//   };
//   config.optim.lr()            // read: marks the key as used
//   config.optim.lr.fail("...")  // ConfigError "file:line:column: optim.lr: ..."
//
// Unknown keys, wrong types and values out of range are errors with file, line, column, what was
// expected and the nearest known name. Sections neither copy nor move: keys point into them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace longconv::config {

/// Where a value came from: a file's line and column, an override, or the default (line 0).
struct Origin {
  std::string file;  ///< path, `override "a.b=value"`, or empty for a default
  int line = 0;
  int column = 0;
};

/// A value as TOML can write it, with its place; defined in value.h for the readers of this room.
struct Value;

class Section;

/// The untyped face of a key, for printing, setting by text and the unread-key check.
class KeyBase {
 public:
  KeyBase(Section* parent, std::string name, std::string help);
  virtual ~KeyBase() = default;
  KeyBase(const KeyBase&) = delete;
  KeyBase& operator=(const KeyBase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string path() const;  ///< "model.filter.emb_dim"
  [[nodiscard]] const std::string& help() const { return help_; }
  [[nodiscard]] const Origin& origin() const { return origin_; }
  [[nodiscard]] bool is_set() const { return set_; }            ///< by the file or an override
  [[nodiscard]] bool was_read() const { return read_.load(); }  ///< by code, through operator()

  /// "expected ...": what the key takes, e.g. `a number > 0` or `one of "a", "b"`.
  [[nodiscard]] virtual std::string expected() const = 0;
  /// The range or choice alone, e.g. `> 0`; empty for none.
  [[nodiscard]] virtual std::string range_words() const = 0;
  /// The value and the default as TOML writes them; doubles as short as they read back exactly.
  [[nodiscard]] virtual std::string to_toml() const = 0;
  [[nodiscard]] virtual std::string default_toml() const = 0;
  /// Checks type and range; throws ConfigError naming origin, path, expectation and what came.
  virtual void assign(const Value& value, const Origin& origin) = 0;

  /// Throws ConfigError "file:line:column: path: message" (or "path: message" for a default).
  [[noreturn]] void fail(const std::string& message) const;

 protected:
  void mark_read() const { read_.store(true, std::memory_order_relaxed); }
  void mark_set(const Origin& origin) {
    origin_ = origin;
    set_ = true;
  }
  [[noreturn]] static void fail_at(const Origin& origin, const std::string& path,
                                   const std::string& message);

 private:
  Section* parent_;
  std::string name_;
  std::string help_;
  Origin origin_;
  bool set_ = false;
  mutable std::atomic<bool> read_ = false;  // threads may read one key at once
};

/// A range or choice: a test and the words for it.
template <class T>
struct Rule {
  std::string words;  ///< e.g. "> 0"; empty for none
  std::function<bool(const T&)> holds;
};

/// Supported T: bool, std::int64_t, double, std::string, and std::vector of the last three.
/// Doubles take integers too, but no inf and no nan; strings are UTF-8.
template <class T>
class Key final : public KeyBase {
 public:
  Key(Section* parent, std::string name, T value, std::string help)
      : Key(parent, std::move(name), std::move(value), Rule<T>{}, std::move(help)) {}
  Key(Section* parent, std::string name, T value, Rule<T> rule, std::string help)
      : KeyBase(parent, std::move(name), std::move(help)),
        value_(value),
        default_(std::move(value)),
        rule_(std::move(rule)) {}

  /// The value; reading it is what makes the key count as used.
  [[nodiscard]] const T& operator()() const {
    mark_read();
    return value_;
  }
  /// Sets from code (tests, tools, resolved defaults); checks the rule, throws ConfigError.
  void set(T value);

  [[nodiscard]] std::string expected() const override;
  [[nodiscard]] std::string range_words() const override { return rule_.words; }
  [[nodiscard]] std::string to_toml() const override;
  [[nodiscard]] std::string default_toml() const override;
  void assign(const Value& value, const Origin& origin) override;

 private:
  T value_;
  T default_;
  Rule<T> rule_;
};

extern template class Key<bool>;
extern template class Key<std::int64_t>;
extern template class Key<double>;
extern template class Key<std::string>;
extern template class Key<std::vector<std::int64_t>>;
extern template class Key<std::vector<double>>;
extern template class Key<std::vector<std::string>>;

// Rules. T is deduced from the argument: above(0.0) for doubles, at_least<std::int64_t>(1) for
// ints.
Rule<double> above(double low);                 ///< > low
Rule<double> between(double low, double high);  ///< low <= x <= high
Rule<double> at_least(double low);              ///< >= low
Rule<std::int64_t> at_least(std::int64_t low);  ///< >= low
Rule<std::int64_t> between(std::int64_t low, std::int64_t high);
Rule<std::string> one_of(std::vector<std::string> words);

/// A table of keys and of further tables. The root has no parent and an empty name.
class Section {
 public:
  Section(Section* parent, std::string name, std::string help);
  virtual ~Section() = default;
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& help() const { return help_; }
  [[nodiscard]] std::string path() const;
  [[nodiscard]] const std::vector<KeyBase*>& keys() const { return keys_; }
  [[nodiscard]] const std::vector<Section*>& sections() const { return sections_; }

  /// An array of tables, [[name]]; `make` builds one empty element owned by the list.
  struct List {
    std::string name;
    std::string help;
    std::function<Section*()> append;  ///< adds an element and returns it
    std::function<std::vector<Section*>()> elements;
    std::function<void()> clear;
  };
  [[nodiscard]] const std::vector<List>& lists() const { return lists_; }

 protected:
  /// Elements get this section as their parent and "name[i]" as their name, so that messages can
  /// say `optim.group[1].lr`.
  void add_list(List list);

 private:
  friend class KeyBase;
  Section* parent_;
  std::string name_;
  std::string help_;
  std::vector<KeyBase*> keys_;
  std::vector<Section*> sections_;
  std::vector<List> lists_;
};

/// [[name]]: any number of sections of one kind. T's constructor takes (Section* parent = nullptr).
template <class T>
class SectionList {
 public:
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] const T& operator[](std::size_t i) const { return *items_[i]; }
  T& append() {
    items_.push_back(std::make_unique<T>());
    return *items_.back();
  }
  void clear() { items_.clear(); }
  [[nodiscard]] std::vector<Section*> elements() {
    std::vector<Section*> out;
    for (auto& item : items_) out.push_back(item.get());
    return out;
  }

 private:
  std::vector<std::unique_ptr<T>> items_;
};

/// Fills `root` from TOML text; `file` is the name used in messages. Keys that the text does not
/// name keep their values; a list that it names is replaced. Throws ConfigError at the first thing
/// wrong: syntax, unknown or repeated key, type, range. `root` may then be partly filled.
void parse(Section& root, std::string_view text, const std::string& file);
/// Reads the file and parses it. Throws ConfigError, also when the file cannot be read.
void load(Section& root, const std::string& path);
/// Applies one command-line override "a.b=value" (TOML value syntax; bare words are strings).
/// The same checks as for a file; messages say `override "a.b=value"` for the place. Lists of
/// tables cannot be overridden; that is a ConfigError too.
void apply_override(Section& root, std::string_view text);
/// The resolved file: every key with its help as a comment. parse(print(x)) prints the same text.
std::string print(const Section& root);
/// Every key below `root`, depth first; list elements included.
std::vector<const KeyBase*> all_keys(const Section& root);
/// The candidate nearest to `word` by edit distance, or empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace longconv::config
