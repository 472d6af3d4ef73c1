// A walk over one JSON text (RFC 8259) that knows where it is, for vocabulary files: nlohmann's
// parser keeps the last of two equal keys without a word, and a tree knows no lines.
//
// Every error is a DataError "file:line:column: expected ..., got ...". Refused besides bad JSON:
// a byte order mark, bytes that are no UTF-8, a key that stands twice in an object, nesting deeper
// than 32, numbers that are no integers where one is wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace longconv::data {

class JsonCursor {
 public:
  /// `text` must outlive the cursor; `where` is the file's name. Checks UTF-8 at once.
  JsonCursor(std::string_view text, std::string where);

  /// Calls `member(key)` for each member of the object that must come next; it reads the value.
  void object(const std::function<void(const std::string&)>& member);
  /// Calls `item()` for each item of the array that must come next; it reads the item.
  void array(const std::function<void()>& item);
  std::string string();
  std::int64_t integer();
  bool boolean();
  /// True and past it if the next value is null.
  bool null();
  /// The first character of the next value: '{', '[', '"', a digit, ...; 0 at the end of the text.
  char peek();
  /// Reads over a value of any kind.
  void skip();
  /// Nothing but white space may follow.
  void finish();

  /// Where the last string or number begins, for a complaint that comes later.
  [[nodiscard]] std::size_t offset() const { return value_at_; }
  /// "file:line:column".
  [[nodiscard]] std::string place(std::size_t offset) const;
  /// Throws DataError with the place of the last value begun, and the words.
  [[noreturn]] void fail(const std::string& words) const;

 private:
  void blanks();
  void expect(char wanted, const char* what);
  void enter();
  std::uint32_t four_digits();
  void escape(std::string& out);
  [[noreturn]] void fail_at(std::size_t offset, const std::string& words) const;
  [[nodiscard]] std::string got() const;

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
  std::size_t value_at_ = 0;
  int depth_ = 0;
};

}  // namespace longconv::data
