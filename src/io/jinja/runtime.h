// One rendering's resources: the budget of steps and memory, and the heap that owns its containers.
// Everything that takes time or space in proportion to its input charges here first.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "io/jinja/limits.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

class Runtime {
 public:
  Runtime(const TemplateLimits& limits, std::optional<std::tm> now)
      : limits_(limits), now_(std::move(now)) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const TemplateLimits& limits() const { return limits_; }
  const std::optional<std::tm>& now() const { return now_; }
  uint64_t steps() const { return steps_; }

  void Step(uint64_t count = 1);
  void StepText(size_t bytes) { Step(bytes / 1024); }
  // A search may look at each byte several times.
  void StepSearch(size_t text, size_t needle) { Step((text + needle) / 128); }
  void StepItems(size_t count) { Step(count / 16); }

  // Fails unless `bytes` more could be held now. Sizes are checked before they are allocated.
  void CheckRoom(uint64_t bytes) const;
  void Charge(uint64_t bytes);
  void Release(uint64_t bytes) { used_ -= bytes; }

  Value String(std::string text, bool markup = false);
  Value Undefined(std::string what);
  Value Tuple(std::vector<Value> items) { return NewList(ListType::kTuple, std::move(items)); }
  Value NewList(ListType type, std::vector<Value> items = {});
  Value NewDict();
  void Append(List& list, Value item);
  void Insert(List& list, size_t index, Value item);

  // Dict access by any hashable key; Set fails on the others.
  Value* Get(Dict& dict, const Value& key);
  void Set(Dict& dict, Value key, Value item);

  template <typename T, typename... Args>
  T* New(Args&&... args) {
    Charge(sizeof(T) + sizeof(void*));
    auto object = std::make_unique<T>(std::forward<Args>(args)...);
    T* raw = object.get();
    heap_.push_back(std::move(object));
    return raw;
  }

  // Input data. Text that is not UTF-8 has its bad parts replaced by U+FFFD.
  Value InputString(const std::string& text);
  Value FromJson(const OrderedJson& json, uint32_t depth = 0);

 private:
  const TemplateLimits limits_;
  const std::optional<std::tm> now_;
  uint64_t steps_ = 0;
  uint64_t used_ = 0;
  std::vector<std::unique_ptr<Object>> heap_;
};

// Guards a recursion over values: Python stops at its own limit, this at max_value_depth.
class DepthGuard {
 public:
  DepthGuard(uint32_t* depth, uint32_t limit, std::string_view what);
  ~DepthGuard() { --*depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  uint32_t* depth_;
};

// Text under construction, charged as it grows.
class TextBuilder {
 public:
  explicit TextBuilder(Runtime& runtime) : runtime_(runtime) {}
  ~TextBuilder() { runtime_.Release(text_.size()); }
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;

  void Append(std::string_view text) {
    runtime_.Charge(text.size());
    runtime_.StepText(text.size());
    text_ += text;
  }
  void Append(char c) { Append(std::string_view(&c, 1)); }
  Runtime& runtime() { return runtime_; }
  const std::string& text() const { return text_; }

  std::string Take() {
    runtime_.Release(text_.size());
    return std::exchange(text_, {});
  }
  Value Finish(bool markup = false) { return runtime_.String(Take(), markup); }

 private:
  Runtime& runtime_;
  std::string text_;
};

}  // namespace ringlet::jinja
