// The state of a running {% for %}: its source, and what the template sees as `loop`.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

class Loop : public Object {
 public:
  // `accept` is the loop's `if`, asked as late as Jinja does: when the body or loop.last needs the
  // next item. It may be empty.
  Loop(Runtime& runtime, const Value& iterable, std::function<bool(const Value&)> accept);

  // Moves to the next item; false at the end.
  bool Next();
  const Value& current() const { return current_; }

  // After the loop: nothing is pulled any more.
  void Finish() { finished_ = true; }

  std::optional<Value> Attribute(std::string_view name);
  Value Cycle(const std::vector<Value>& items) const;
  bool Changed(std::vector<Value> values);

 private:
  bool Pull(Value* item);
  bool Peek();
  int64_t Length();

  Runtime& runtime_;
  List* source_;
  size_t position_ = 0;  // in a source that is not a generator
  std::function<bool(const Value&)> accept_;
  bool finished_ = false;
  int64_t index0_ = -1;
  std::optional<int64_t> length_;
  std::optional<Value> ahead_;
  Value previous_;
  Value current_;
  std::optional<std::vector<Value>> last_changed_;
};

}  // namespace ringlet::jinja
