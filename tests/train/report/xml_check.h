// A tiny check that a text is well-formed XML: tags nest and close, attributes are quoted and given
// once, & starts a known entity. Just enough to catch a forgotten escape.
#pragma once

#include "data/formats/utf8.h"

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace longconv::testing {

class XmlCheck {
 public:
  explicit XmlCheck(std::string_view text) : text_(text) {
    if (data::utf8_error(text) != std::string_view::npos) {
      error_ = "broken UTF-8";
      return;
    }
    if (text_.substr(0, 15) == "<!DOCTYPE html>") at_ = 15;
    while (at_ < text_.size() && error_.empty()) text_[at_] == '<' ? tag() : character();
    if (error_.empty() && !open_.empty()) error_ = "never closed: " + open_.back();
  }

  /// Empty if all is well, else what is wrong and where.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// All text between tags, entities decoded.
  [[nodiscard]] const std::string& content() const { return content_; }
  [[nodiscard]] int count(const std::string& element) const {
    int n = 0;
    for (const std::string& name : seen_) n += name == element ? 1 : 0;
    return n;
  }

 private:
  void fail(const std::string& why) {
    error_ = why + " at " + std::to_string(at_) + ": " + std::string(text_.substr(at_, 60));
  }

  bool take(std::string_view words) {
    if (text_.substr(at_, words.size()) != words) return false;
    at_ += words.size();
    return true;
  }

  std::string name() {
    const std::size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  text_[at_] == '-' || text_[at_] == ':')) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  void spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  void character() {
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte < 0x20 && byte != '\n' && byte != '\t') return fail("control character");
    if (byte != '&') {
      content_ += text_[at_++];
      return;
    }
    for (const auto& [entity, meaning] : {std::pair{"&amp;", '&'},
                                          {"&lt;", '<'},
                                          {"&gt;", '>'},
                                          {"&quot;", '"'},
                                          {"&#39;", '\''}}) {
      if (take(entity)) {
        content_ += meaning;
        return;
      }
    }
    fail("unknown entity");
  }

  void tag() {
    if (take("</")) {
      const std::string closed = name();
      if (open_.empty() || open_.back() != closed || !take(">")) return fail("wrong closing tag");
      open_.pop_back();
      return;
    }
    take("<");
    const std::string element = name();
    if (element.empty()) return fail("a stray <");
    std::set<std::string> attributes;
    for (spaces(); at_ < text_.size() && text_[at_] != '>' && text_[at_] != '/'; spaces()) {
      const std::string attribute = name();
      if (attribute.empty() || !take("=\"")) return fail("a broken attribute");
      if (!attributes.insert(attribute).second) return fail("an attribute given twice");
      const std::size_t end = text_.find('"', at_);
      if (end == std::string_view::npos) return fail("an open quote");
      if (text_.substr(at_, end - at_).find('<') != std::string_view::npos)
        return fail("< in quotes");
      at_ = end + 1;
    }
    seen_.push_back(element);
    if (take("/>")) return;
    if (!take(">")) return fail("an open tag");
    open_.push_back(element);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string error_;
  std::string content_;
  std::vector<std::string> open_;
  std::vector<std::string> seen_;
};

}  // namespace longconv::testing
