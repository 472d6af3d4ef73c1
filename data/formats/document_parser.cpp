#include "data/formats/document_parser.h"

#include "data/formats/documents.h"
#include "data/formats/utf8.h"

#include <fmt/format.h>
#include <simdjson.h>

namespace longconv::data {

namespace dom = simdjson::dom;

static_assert(kLinePadding >= simdjson::SIMDJSON_PADDING);

struct DocumentParser::Impl {
  dom::parser parser;
  std::string kept;  // what parse_document() gave last

  /// False where parse_document() must look: anything unusual.
  bool fast(std::string_view line, std::string_view& text) {
    dom::object object;
    if (parser.parse(line.data(), line.size(), /*realloc_if_needed=*/false).get(object) !=
        simdjson::SUCCESS) {
      return false;
    }
    bool found = false;
    for (const dom::key_value_pair field : object) {
      if (field.key != "text") continue;
      if (found || field.value.get(text) != simdjson::SUCCESS) return false;
      found = true;
    }
    // simdjson lets an escaped low surrogate through when it stands alone; its three bytes begin
    // with 0xED, as those of few other characters do.
    return found && (text.find('\xED') == std::string_view::npos ||
                     utf8_error(text) == std::string_view::npos);
  }
};

DocumentParser::DocumentParser() : impl_(std::make_unique<Impl>()) {}
DocumentParser::~DocumentParser() = default;

std::string_view DocumentParser::parse(std::string_view line, std::string_view name,
                                       std::int64_t number) {
  std::string_view text;
  if (impl_->fast(line, text)) return text;
  impl_->kept = parse_document(line, fmt::format("{}:{}", name, number));
  return impl_->kept;
}

}  // namespace longconv::data
