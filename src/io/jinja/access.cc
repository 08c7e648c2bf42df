// The parts of operators.h that look inside a value: items, attributes, slices, iteration.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "io/jinja/error.h"
#include "io/jinja/format.h"
#include "io/jinja/loop.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"
#include "io/jinja/unicode.h"

namespace ringlet::jinja {
namespace {

// As Jinja names it: 'dict object', 'None'.
std::string ObjectName(const Value& value) {
  return value.IsNone() ? "None" : fmt::format("{} object", TypeName(value));
}

Value MissingAttribute(Runtime& runtime, const Value& value, std::string_view name) {
  return runtime.Undefined(fmt::format("'{}' has no attribute '{}'", ObjectName(value),
                                       name.substr(0, ByteOffset(name, 60))));
}

Value MissingItem(Runtime& runtime, const Value& value, const Value& key) {
  if (key.IsString()) return MissingAttribute(runtime, value, key.text());
  const std::string shown = key.Is(Kind::kInt) ? fmt::format("{}", key.integer())
                                               : fmt::format("of type {}", TypeName(key));
  return runtime.Undefined(fmt::format("{} has no element {}", ObjectName(value), shown));
}

// Position `index` of `size` under Python's rule for negative indices.
std::optional<size_t> Position(int64_t index, size_t size) {
  const auto count = static_cast<int64_t>(size);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return std::nullopt;
  return static_cast<size_t>(index);
}

bool Subscriptable(const Value& value) {
  return value.Is(Kind::kList) &&
         (value.IsSequence(ListType::kList) || value.IsSequence(ListType::kTuple) ||
          value.IsSequence(ListType::kGroup) || value.IsSequence(ListType::kRange));
}

std::optional<Value> FindItem(Runtime& runtime, const Value& value, const Value& key) {
  if (value.Is(Kind::kDict)) {
    if (key.Is(Kind::kDict) || key.IsSequence(ListType::kList)) return std::nullopt;
    const Value* found = runtime.Get(value.dict(), key);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (!key.IsInteger()) return std::nullopt;
  if (value.IsString()) {
    const std::string_view text = value.text();
    runtime.StepText(text.size());
    const size_t size = value.ascii() ? text.size() : CountCodePoints(text);
    const std::optional<size_t> at = Position(key.integer(), size);
    if (!at) return std::nullopt;
    const size_t begin = value.ascii() ? *at : ByteOffset(text, *at);
    size_t end = begin;
    NextCodePoint(text, &end);
    return runtime.String(std::string(text.substr(begin, end - begin)), value.IsMarkup());
  }
  if (!Subscriptable(value)) return std::nullopt;
  const std::optional<size_t> at = Position(key.integer(), value.list().items.size());
  return at ? std::optional<Value>(value.list().items[*at]) : std::nullopt;
}

struct SliceRange {
  int64_t start = 0;
  int64_t step = 1;
  size_t count = 0;
};

// Python's slice.indices.
SliceRange ResolveSlice(const Value& start, const Value& stop, const Value& step, size_t length) {
  SliceRange range;
  range.step = step.IsNone() ? 1 : step.integer();
  if (range.step == 0) Fail("slice step cannot be zero");
  range.step = std::max<int64_t>(range.step, -INT64_MAX);
  const auto size = static_cast<int64_t>(length);
  const bool down = range.step < 0;
  const int64_t low = down ? -1 : 0;
  const int64_t high = down ? size - 1 : size;
  const auto clamp = [&](int64_t index) {
    if (index < 0) index = index < -size ? -1 : index + size;  // below the start either way
    return std::clamp(index, low, high);
  };
  range.start = start.IsNone() ? (down ? high : low) : clamp(start.integer());
  const int64_t end = stop.IsNone() ? (down ? low : high) : clamp(stop.integer());
  const int64_t distance = down ? range.start - end : end - range.start;
  if (distance > 0) {
    const int64_t stride = down ? -range.step : range.step;
    range.count = static_cast<size_t>((distance - 1) / stride + 1);
  }
  return range;
}

template <typename Get>
void ForSlice(const SliceRange& range, Get get) {
  int64_t index = range.start;
  for (size_t i = 0; i < range.count; ++i) {
    get(static_cast<size_t>(index));
    if (i + 1 < range.count) index += range.step;
  }
}

Value SliceString(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                  const Value& step) {
  const std::string_view text = value.text();
  runtime.StepText(text.size());
  const size_t length = value.ascii() ? text.size() : CountCodePoints(text);
  const SliceRange range = ResolveSlice(start, stop, step, length);
  if (range.step == 1) {
    const auto first = static_cast<size_t>(range.start);
    if (range.count == 0) return runtime.String("", value.IsMarkup());
    const size_t begin = value.ascii() ? first : ByteOffset(text, first);
    const size_t size = value.ascii() ? range.count : ByteOffset(text.substr(begin), range.count);
    runtime.CheckRoom(size);
    return runtime.String(std::string(text.substr(begin, size)), value.IsMarkup());
  }
  runtime.CheckRoom(5 * text.size());
  std::string out;
  if (value.ascii()) {
    ForSlice(range, [&](size_t i) { out += text[i]; });
    return runtime.String(std::move(out), value.IsMarkup());
  }
  const std::vector<char32_t> all = Decode(text);
  std::vector<char32_t> chosen;
  ForSlice(range, [&](size_t i) { chosen.push_back(all[i]); });
  return runtime.String(Encode(chosen), value.IsMarkup());
}

}  // namespace

std::optional<Value> FindAttribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (name.empty() || name[0] == '_') return std::nullopt;
  if (HasMethod(value, name)) {
    return Value::Of(Kind::kMethod, runtime.New<BoundMethod>(value, std::string(name)));
  }
  if (value.Is(Kind::kNamespace)) {
    const Value* found = value.dict().Find(name);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (value.IsSequence(ListType::kGroup)) {
    if (name == "grouper") return value.list().items[0];
    if (name == "list") return value.list().items[1];
  }
  if (value.Is(Kind::kLoop)) return value.object<Loop>().Attribute(name);
  if (value.Is(Kind::kCycler) && name == "current") {
    const auto& cycler = value.object<Cycler>();
    return cycler.items[cycler.position];
  }
  return std::nullopt;
}

Value GetItem(Runtime& runtime, const Value& value, const Value& key) {
  RequireDefined(value);
  RequireDefined(key);
  if (std::optional<Value> item = FindItem(runtime, value, key)) return *item;
  if (key.IsString()) {
    if (std::optional<Value> found = FindAttribute(runtime, value, key.text())) return *found;
  }
  return MissingItem(runtime, value, key);
}

Value GetAttribute(Runtime& runtime, const Value& value, std::string_view name) {
  RequireDefined(value);
  if (std::optional<Value> found = FindAttribute(runtime, value, name)) return *found;
  if (value.Is(Kind::kDict) && name[0] != '_') {
    runtime.StepItems(value.dict().entries.size());
    if (const Value* item = value.dict().Find(name)) return *item;
  }
  return MissingAttribute(runtime, value, name);
}

Value Slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  RequireDefined(value);
  for (const Value* bound : {&start, &stop, &step}) {
    RequireDefined(*bound);
    if (!bound->IsNone() && !bound->IsInteger()) {
      Fail("slice indices must be integers or none, not {}", TypeName(*bound));
    }
  }
  if (value.IsString()) return SliceString(runtime, value, start, stop, step);
  if (!Subscriptable(value)) Fail("'{}' object cannot be sliced", TypeName(value));
  const List& list = value.list();
  const SliceRange range = ResolveSlice(start, stop, step, list.items.size());
  runtime.CheckRoom(range.count * sizeof(Value));
  std::vector<Value> items;
  items.reserve(range.count);
  ForSlice(range, [&](size_t i) { items.push_back(list.items[i]); });
  const Value result = runtime.NewList(list.type == ListType::kGroup ? ListType::kTuple : list.type,
                                       std::move(items));
  if (list.type == ListType::kRange) {
    // Unsigned: an empty slice may have bounds beyond 64 bits, and then they are never printed
    // right.
    const auto times = [](int64_t a, int64_t b) {
      return static_cast<uint64_t>(a) * static_cast<uint64_t>(b);
    };
    List& out = result.list();
    out.range_start = static_cast<int64_t>(static_cast<uint64_t>(list.range_start) +
                                           times(range.start, list.range_step));
    out.range_step = static_cast<int64_t>(times(list.range_step, range.step));
    out.range_stop = static_cast<int64_t>(static_cast<uint64_t>(out.range_start) +
                                          times(static_cast<int64_t>(range.count), out.range_step));
  }
  return result;
}

std::vector<Value> Characters(Runtime& runtime, std::string_view text) {
  runtime.CheckRoom(text.size() * sizeof(Value));
  std::vector<Value> out;
  for (size_t pos = 0; pos < text.size();) {
    const size_t begin = pos;
    NextCodePoint(text, &pos);
    runtime.Step();
    out.push_back(runtime.String(std::string(text.substr(begin, pos - begin))));
  }
  return out;
}

std::vector<Value> Iterate(Runtime& runtime, const Value& value) {
  if (value.IsUndefined()) return {};
  if (value.IsString()) return Characters(runtime, value.text());
  if (value.Is(Kind::kDict)) {
    std::vector<Value> keys;
    runtime.CheckRoom(value.dict().entries.size() * sizeof(Value));
    runtime.StepItems(value.dict().entries.size());
    for (const auto& [key, item] : value.dict().entries) keys.push_back(key);
    return keys;
  }
  if (!value.Is(Kind::kList)) Fail("'{}' object is not iterable", TypeName(value));
  List& list = value.list();
  runtime.CheckRoom(list.items.size() * sizeof(Value));
  runtime.StepItems(list.items.size());
  if (list.type != ListType::kGenerator) return list.items;
  std::vector<Value> rest(list.items.begin() + static_cast<ptrdiff_t>(list.consumed),
                          list.items.end());
  list.consumed = list.items.size();
  return rest;
}

size_t Length(const Value& value) {
  if (value.IsUndefined()) return 0;
  if (value.IsString()) return value.ascii() ? value.text().size() : CountCodePoints(value.text());
  if (value.Is(Kind::kDict)) return value.dict().entries.size();
  if (value.Is(Kind::kLoop)) {
    return static_cast<size_t>(value.object<Loop>().Attribute("length")->integer());
  }
  if (!value.Is(Kind::kList) || value.IsSequence(ListType::kGenerator)) {
    Fail("object of type '{}' has no len()", TypeName(value));
  }
  return value.list().items.size();
}

std::optional<int64_t> ParseInteger(std::string_view text, int64_t base) {
  text = Strip(text, Side::kBoth);
  std::string digits(text);
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.erase(0, 1);
  }
  const auto prefixed = [&](char letter) {
    return digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == letter;
  };
  for (const auto& [letter, prefix_base] : {std::pair{'x', 16}, {'o', 8}, {'b', 2}}) {
    if (!prefixed(letter) || (base != 0 && base != prefix_base)) continue;
    base = prefix_base;
    digits.erase(0, 2);
    break;
  }
  if (base == 0) base = 10;
  if (base < 2 || base > 36) return std::nullopt;
  int64_t value = 0;
  bool after_digit = false;
  for (const char c : digits) {
    if (c == '_' && after_digit) {
      after_digit = false;
      continue;
    }
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 10
                      : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                             : 99;
    if (digit >= base) return std::nullopt;
    if (__builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value)) {
      Fail("the integer '{}' does not fit 64 bits", text.substr(0, 40));
    }
    after_digit = true;
  }
  if (!after_digit) return std::nullopt;
  return negative ? -value : value;
}

std::optional<double> ParseFloat(std::string_view text) {
  text = Strip(text, Side::kBoth);
  const auto is_digit = [&](size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
    } else if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) {
      return std::nullopt;
    }
  }
  const bool plus = digits.size() > 1 && digits[0] == '+' && digits[1] != '-';
  const char* const end = digits.data() + digits.size();
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data() + (plus ? 1 : 0), end, value);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Python's inf and 0.0: the exponent's sign tells which.
    return digits.find("e-") != std::string::npos || digits.find("E-") != std::string::npos
               ? 0.0
               : HUGE_VAL;
  }
  return value;
}

}  // namespace ringlet::jinja
