// The values of the template language, with Python's kinds. A Value is a small handle: strings are
// reference counted, containers live in the Runtime of one rendering (runtime.h) until it ends, so
// cycles made with list.append cannot leak.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringlet::jinja {

class Runtime;

enum class Kind : uint8_t {
  kUndefined,  // text: what is undefined
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,  // all of Python's sequences and iterators: see ListType
  kDict,
  kNamespace,
  kFunction,  // int: a Builtin (functions.h)
  kMethod,    // object: BoundMethod
  kMacro,     // object: Macro (interpreter.h)
  kLoop,      // object: Loop (interpreter.h)
  kCycler,    // object: Cycler
  kJoiner,    // object: Joiner
};

enum class ListType : uint8_t {
  kList,
  kTuple,
  kGroup,  // a pair from groupby: a tuple with the names `grouper` and `list`
  kRange,
  kGenerator,  // consumed by iteration, always true, no length
  kKeys,
  kValues,
  kItems,
};

// Immutable text. Live bytes are charged to `owner`; null for literals, which the template owns.
struct Text {
  Text(std::string value, Runtime* runtime, bool is_markup = false);
  ~Text();
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;

  const std::string bytes;
  const bool ascii;
  const bool markup;  // from |safe or |escape: joining it with other text escapes that for HTML
  Runtime* const owner;
};

struct Object {
  virtual ~Object() = default;
};

struct List;
struct Dict;

class Value {
 public:
  Value() : kind_(Kind::kNone), int_(0) {}
  explicit Value(std::shared_ptr<const Text> text)
      : kind_(Kind::kString), int_(0), text_(std::move(text)) {}
  static Value Bool(bool b) { return Value(Kind::kBool, b ? 1 : 0); }
  static Value Int(int64_t i) { return Value(Kind::kInt, i); }
  static Value Function(int64_t id) { return Value(Kind::kFunction, id); }
  static Value Float(double d) {
    Value value;
    value.kind_ = Kind::kFloat;
    value.float_ = d;
    return value;
  }
  static Value Undefined(std::shared_ptr<const Text> what) {
    Value value(std::move(what));
    value.kind_ = Kind::kUndefined;
    return value;
  }
  static Value Of(Kind kind, Object* object) {
    Value value;
    value.kind_ = kind;
    value.object_ = object;
    return value;
  }

  Kind kind() const { return kind_; }
  bool Is(Kind kind) const { return kind_ == kind; }
  bool IsUndefined() const { return kind_ == Kind::kUndefined; }
  bool IsNone() const { return kind_ == Kind::kNone; }
  bool IsString() const { return kind_ == Kind::kString; }
  bool IsInteger() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool IsNumber() const { return IsInteger() || kind_ == Kind::kFloat; }
  bool IsSequence(ListType type) const;

  // Each requires the kind that its name says; integer() also takes a boolean, number() any number.
  bool boolean() const { return int_ != 0; }
  int64_t integer() const { return int_; }
  double number() const { return kind_ == Kind::kFloat ? float_ : static_cast<double>(int_); }
  std::string_view text() const { return text_->bytes; }  // kString and kUndefined
  bool ascii() const { return text_->ascii; }
  bool IsMarkup() const { return kind_ == Kind::kString && text_->markup; }
  List& list() const;
  Dict& dict() const;  // kDict and kNamespace
  template <typename T>
  T& object() const {
    return static_cast<T&>(*object_);
  }

  bool SameIdentity(const Value& other) const;

 private:
  Value(Kind kind, int64_t payload) : kind_(kind), int_(payload) {}

  Kind kind_;
  union {
    int64_t int_;
    double float_;
    Object* object_;
  };
  std::shared_ptr<const Text> text_;
};

struct List : Object {
  ListType type = ListType::kList;
  size_t consumed = 0;  // of a generator
  std::vector<Value> items;
  int64_t range_start = 0, range_stop = 0, range_step = 1;  // for printing a range
};

// Keeps insertion order. Look-up is linear and charged, which suits messages and tool schemas.
struct Dict : Object {
  std::vector<std::pair<Value, Value>> entries;

  // The value of a string key, or null.
  Value* Find(std::string_view key);
};

struct BoundMethod : Object {
  BoundMethod(Value r, std::string n) : receiver(std::move(r)), name(std::move(n)) {}
  Value receiver;
  std::string name;
};

struct Cycler : Object {
  std::vector<Value> items;
  size_t position = 0;
};

struct Joiner : Object {
  Value separator;
  bool used = false;
};

// Arguments of a call, in source order.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  // Removes and returns the named argument; false when it was not passed.
  bool Take(std::string_view name, Value* out);
};

// "str", "list", ... as Python calls the type in its messages.
std::string_view TypeName(const Value& value);

bool IsTrue(const Value& value);
bool IsMapping(const Value& value);
bool IsIterable(const Value& value);
bool IsCallable(const Value& value);

}  // namespace ringlet::jinja
