// Key<T>: from a Value to a T and back to text, for every T a key can have.
#include "core/base/error.h"
#include "core/config/section.h"
#include "core/config/value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <type_traits>
#include <utility>

namespace longconv::config {
namespace {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

/// What a T is called alone and in the plural.
template <class T>
struct Words;
template <>
struct Words<bool> {
  static constexpr const char* kOne = "true or false";
};
template <>
struct Words<std::int64_t> {
  static constexpr const char* kOne = "an integer";
  static constexpr const char* kMany = "integers";
};
template <>
struct Words<double> {
  static constexpr const char* kOne = "a number";
  static constexpr const char* kMany = "numbers";
};
template <>
struct Words<std::string> {
  static constexpr const char* kOne = "a string";
  static constexpr const char* kMany = "strings";
};
template <class T>
struct Words<std::vector<T>> {};

bool convert(const Value& value, bool& out) {
  out = value.boolean;
  return value.kind == Kind::boolean;
}

bool convert(const Value& value, std::int64_t& out) {
  out = value.integer;
  return value.kind == Kind::integer;
}

bool convert(const Value& value, double& out) {
  out = value.kind == Kind::integer ? static_cast<double>(value.integer) : value.floating;
  return (value.kind == Kind::integer || value.kind == Kind::floating) && std::isfinite(out);
}

bool convert(const Value& value, std::string& out) {
  out = value.text;
  return value.kind == Kind::text;
}

/// RFC 3629: no stray or missing continuation bytes, no overlong form, no surrogate.
bool is_utf8(const std::string& text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i])) : 0U;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    const std::size_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (lead > 0x7F && (lead < 0xC2 || lead > 0xF4)) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    const unsigned second = byte(i + 1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

/// What the types alone cannot say: text that TOML can write back, numbers that mean something.
bool is_sound(bool /*value*/) { return true; }
bool is_sound(std::int64_t /*value*/) { return true; }
bool is_sound(double value) { return std::isfinite(value); }
bool is_sound(const std::string& value) { return is_utf8(value); }
template <class T>
bool is_sound(const std::vector<T>& values) {
  for (const T& value : values) {
    if (!is_sound(value)) return false;
  }
  return true;
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (IsVector<T>::value) {
    std::vector<std::string> items;
    items.reserve(value.size());
    for (const auto& item : value) items.push_back(toml_text(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  } else {
    return toml_text(value);
  }
}

/// For 1e3 where an integer is wanted: what to write instead.
std::string integer_hint(const Value& value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53: every integer up to here is a double
  const double x = value.floating;
  const bool whole = value.kind == Kind::floating && x == std::trunc(x) && std::abs(x) <= kExact;
  return whole ? fmt::format("; write {}", static_cast<std::int64_t>(x)) : "";
}

/// For name=12 on the command line, where the shell eats the quotes of name="12".
std::string quoting_hint(const Value& value, const std::string& path) {
  const bool scalar = value.kind != Kind::table && value.kind != Kind::array;
  return scalar ? fmt::format("; write '{}=\"{}\"'", path, value_words(value)) : "";
}

/// What a wrong value should have been, as far as it can be guessed.
template <class T>
std::string hint(const Value& value, const std::string& path, const Origin& origin) {
  if constexpr (std::is_same_v<T, std::int64_t>) return integer_hint(value);
  if (std::is_same_v<T, std::string> && origin.line == 0) return quoting_hint(value, path);
  return {};
}

}  // namespace

template <class T>
std::string Key<T>::expected() const {
  if constexpr (IsVector<T>::value) {
    const char* many = Words<typename T::value_type>::kMany;
    return fmt::format("an array of {}{}{}", many, rule_.words.empty() ? "" : " ", rule_.words);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return rule_.words.empty() ? Words<T>::kOne : rule_.words;  // `one of "a", "b"` says it all
  } else {
    return fmt::format("{}{}{}", Words<T>::kOne, rule_.words.empty() ? "" : " ", rule_.words);
  }
}

template <class T>
std::string Key<T>::to_toml() const {
  return text_of(value_);
}

template <class T>
std::string Key<T>::default_toml() const {
  return text_of(default_);
}

template <class T>
void Key<T>::set(T value) {
  if (!is_sound(value) || (rule_.holds && !rule_.holds(value))) {
    fail(fmt::format("expected {}, got {}", expected(), text_of(value)));
  }
  value_ = std::move(value);
}

template <class T>
void Key<T>::assign(const Value& value, const Origin& origin) {
  T converted{};
  if constexpr (IsVector<T>::value) {
    using Item = typename T::value_type;
    if (value.kind != Kind::array) {
      fail_at(origin, path(), fmt::format("expected {}, got {}", expected(), got_words(value)));
    }
    for (const Value& item : value.items) {
      Item one{};
      if (!convert(item, one)) {
        const bool in_file = origin.line > 0;
        const Origin place{origin.file, in_file ? item.line : 0, in_file ? item.column : 0};
        fail_at(place, path(),
                fmt::format("expected {}, got {} as item {}{}", expected(), got_words(item),
                            converted.size() + 1, hint<Item>(item, path(), origin)));
      }
      converted.push_back(std::move(one));
    }
  } else if (!convert(value, converted)) {
    fail_at(origin, path(),
            fmt::format("expected {}, got {}{}", expected(), got_words(value),
                        hint<T>(value, path(), origin)));
  }
  if (rule_.holds && !rule_.holds(converted)) {
    fail_at(origin, path(), fmt::format("expected {}, got {}", expected(), value_words(value)));
  }
  value_ = std::move(converted);
  mark_set(origin);
}

template class Key<bool>;
template class Key<std::int64_t>;
template class Key<double>;
template class Key<std::string>;
template class Key<std::vector<std::int64_t>>;
template class Key<std::vector<double>>;
template class Key<std::vector<std::string>>;

Rule<double> above(double low) {
  return {fmt::format("> {}", low), [low](const double& x) { return x > low; }};
}

Rule<double> between(double low, double high) {
  return {fmt::format("from {} to {}", low, high),
          [low, high](const double& x) { return x >= low && x <= high; }};
}

Rule<double> at_least(double low) {
  return {fmt::format(">= {}", low), [low](const double& x) { return x >= low; }};
}

Rule<std::int64_t> at_least(std::int64_t low) {
  return {fmt::format(">= {}", low), [low](const std::int64_t& x) { return x >= low; }};
}

Rule<std::int64_t> between(std::int64_t low, std::int64_t high) {
  return {fmt::format("from {} to {}", low, high),
          [low, high](const std::int64_t& x) { return x >= low && x <= high; }};
}

Rule<std::string> one_of(std::vector<std::string> words) {
  std::string text = "one of ";
  for (const std::string& word : words) {
    if (&word != words.data()) text += ", ";
    text += toml_text(word);
  }
  return {std::move(text), [words = std::move(words)](const std::string& x) {
            for (const std::string& word : words) {
              if (word == x) return true;
            }
            return false;
          }};
}

}  // namespace longconv::config
