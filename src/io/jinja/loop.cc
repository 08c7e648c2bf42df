#include "io/jinja/loop.h"

#include "io/jinja/error.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {

Loop::Loop(Runtime& runtime, const Value& iterable, std::function<bool(const Value&)> accept)
    : runtime_(runtime), accept_(std::move(accept)) {
  // A list is read while the loop runs, so that what the body appends is seen, as in Python.
  source_ = iterable.Is(Kind::kList)
                ? &iterable.list()
                : &runtime.NewList(ListType::kList, Iterate(runtime, iterable)).list();
}

bool Loop::Pull(Value* item) {
  while (!finished_) {
    runtime_.Step();
    size_t& at = source_->type == ListType::kGenerator ? source_->consumed : position_;
    if (at >= source_->items.size()) return false;
    *item = source_->items[at++];
    if (!accept_ || accept_(*item)) return true;
  }
  return false;
}

bool Loop::Peek() {
  if (ahead_) return true;
  Value item;
  if (!Pull(&item)) return false;
  ahead_ = std::move(item);
  return true;
}

bool Loop::Next() {
  if (!Peek()) return false;
  previous_ = std::move(current_);
  current_ = *std::move(ahead_);
  ahead_.reset();
  ++index0_;
  return true;
}

int64_t Loop::Length() {
  if (length_) return *length_;
  if (!accept_ && source_->type != ListType::kGenerator) {
    length_ = static_cast<int64_t>(source_->items.size());
    return *length_;
  }
  const Value rest = runtime_.NewList(ListType::kList);
  for (Value item; Pull(&item);) runtime_.Append(rest.list(), item);
  source_ = &rest.list();
  position_ = 0;
  accept_ = nullptr;
  length_ = static_cast<int64_t>(source_->items.size()) + index0_ + 1 + (ahead_ ? 1 : 0);
  return *length_;
}

std::optional<Value> Loop::Attribute(std::string_view name) {
  if (name == "index") return Value::Int(index0_ + 1);
  if (name == "index0") return Value::Int(index0_);
  if (name == "first") return Value::Bool(index0_ == 0);
  if (name == "last") return Value::Bool(!Peek());
  if (name == "length") return Value::Int(Length());
  if (name == "revindex") return Value::Int(Length() - index0_);
  if (name == "revindex0") return Value::Int(Length() - index0_ - 1);
  if (name == "depth") return Value::Int(1);
  if (name == "depth0") return Value::Int(0);
  if (name == "previtem") {
    return index0_ == 0 ? runtime_.Undefined("there is no previous item") : previous_;
  }
  if (name == "nextitem") return Peek() ? *ahead_ : runtime_.Undefined("there is no next item");
  return std::nullopt;
}

Value Loop::Cycle(const std::vector<Value>& items) const {
  if (items.empty()) Fail("no items for cycling given");
  return items[static_cast<size_t>(index0_) % items.size()];
}

bool Loop::Changed(std::vector<Value> values) {
  bool same = last_changed_ && last_changed_->size() == values.size();
  for (size_t i = 0; same && i < values.size(); ++i) {
    same = Equal(runtime_, (*last_changed_)[i], values[i]);
  }
  if (!same) last_changed_ = std::move(values);
  return !same;
}

}  // namespace ringlet::jinja
