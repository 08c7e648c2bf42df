#include "base/json.h"

#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace ringlet {
namespace {

constexpr size_t kMaxDepth = 64;

// First pass: grammar, depth and duplicate keys, without building a document. nlohmann's own parse
// keeps the last of two equal keys, which lets two readers of one file disagree.
class Validator : public nlohmann::json_sax<Json> {
 public:
  const std::string& error() const { return error_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return Enter(); }
  bool start_array(size_t) override { return Enter(); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    error_ = fmt::format("found key {} twice, expected each key once", Quote(name));
    return false;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_ = fmt::format("found bad JSON at byte {} ({}), expected a JSON document", position,
                         JsonErrorText(error));
    return false;
  }

 private:
  bool Enter() {
    keys_.emplace_back();
    if (keys_.size() <= kMaxDepth) return true;
    error_ = fmt::format("found nesting deeper than {}, expected a flatter document", kMaxDepth);
    return false;
  }
  bool Leave() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;
  std::string error_;
};

// Second pass, where the order of keys counts: the library would look for every key among those
// before it, which takes minutes for the largest requests.
class OrderedBuilder : public nlohmann::json_sax<OrderedJson> {
 public:
  OrderedJson document() && { return std::move(root_); }

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Enter(OrderedJson::object()); }
  bool start_array(size_t) override { return Enter(OrderedJson::array()); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  // A container's place does not change before Leave: nothing is added beside it.
  OrderedJson* Place(OrderedJson value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<OrderedJson::array_t&>();
      return &array.emplace_back(std::move(value));
    }
    OrderedJson::object_t::Container& members = open_.back()->get_ref<OrderedJson::object_t&>();
    return &members.emplace_back(std::move(key_), std::move(value)).second;
  }
  bool Add(OrderedJson value) {
    Place(std::move(value));
    return true;
  }
  bool Enter(OrderedJson container) {
    open_.push_back(Place(std::move(container)));
    return true;
  }
  bool Leave() {
    open_.pop_back();
    return true;
  }

  OrderedJson root_;
  std::vector<OrderedJson*> open_;
  std::string key_;
};

Status Validate(std::string_view text, std::string_view source) {
  // The library takes a NUL byte for the end of its input; whatever follows would go unread.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return BadInput(source, "", fmt::format("a NUL byte at byte {}", nul), "a JSON document");
  }
  Validator validator;
  if (!Json::sax_parse(text.begin(), text.end(), &validator)) {
    return Status(StatusCode::kInvalidInput, fmt::format("{}: {}", source, validator.error()));
  }
  return Status::Ok();
}

}  // namespace

Result<Json> ParseJson(std::string_view text, std::string_view source) {
  RINGLET_RETURN_IF_ERROR(Validate(text, source));
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

Result<OrderedJson> ParseOrderedJson(std::string_view text, std::string_view source) {
  RINGLET_RETURN_IF_ERROR(Validate(text, source));
  OrderedBuilder builder;
  OrderedJson::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).document();
}

Result<Json> ReadJsonFile(const std::string& path, uint64_t max_bytes) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, max_bytes));
  return ParseJson(text, path);
}

std::string JsonErrorText(const nlohmann::detail::exception& error) {
  // "[json.exception...] parse error at line 1, column 2: <what>; last read: '<token>'; expected
  // ..."
  std::string_view text = error.what();
  if (const size_t id = text.find("] "); id != std::string_view::npos) text.remove_prefix(id + 2);
  text = text.substr(0, text.find("; last read"));
  return std::string(text.substr(0, 200));
}

std::string_view JsonTypeName(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "an integer";
    case Json::value_t::number_float:
      return "a number";
    default:
      return "an unknown value";
  }
}

std::string JsonBrief(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace ringlet
