// Runs a parsed template.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/jinja/ast.h"
#include "io/jinja/runtime.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

// Variables of one block. Blocks look outwards through `parent`; assignments stay inside.
struct Scope {
  Scope* parent = nullptr;
  bool captured = false;  // a macro remembers it, so it may not be reused
  std::vector<std::pair<Symbol, Value>> variables;
};

struct Macro : Object {
  Macro(const MacroDefinition* d, Scope* s) : definition(d), scope(s) {}
  const MacroDefinition* definition;
  Scope* scope;  // where it was defined
};

class Interpreter {
 public:
  Interpreter(const Template& source, Runtime& runtime);

  // Whether the template mentions the name: the rest of the input need not be converted.
  bool Mentions(std::string_view name) const;
  void Define(std::string_view name, Value value);

  // Throws TemplateError, with its line.
  std::string Run();

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };

  Flow ExecuteBody(const Body& body);
  Flow Execute(const Statement& statement);
  Flow ExecuteIf(const Statement& statement);
  Flow ExecuteFor(const Statement& statement);
  Flow ExecuteWith(const Statement& statement);
  Flow ExecuteInScope(const Body& body);
  void ExecuteMacro(const Statement& statement);
  void ExecuteCallBlock(const Statement& statement);
  void ExecuteFilterBlock(const Statement& statement);
  void ExecuteSetBlock(const Statement& statement);
  // The text that a body prints, in a scope of its own.
  Value Capture(const Body& body);
  void Print(const Value& value);
  void CheckOutput() const;

  Value Evaluate(const Expr& expr);
  Value EvaluateLogic(const Expr& expr);
  Value EvaluateCompare(const Expr& expr);
  Value EvaluateArithmetic(const Expr& expr);
  Value EvaluateConcat(const Expr& expr);
  Value EvaluateConditional(const Expr& expr);
  Value EvaluateList(const Expr& expr);
  Value EvaluateDict(const Expr& expr);
  Value EvaluatePostfix(const Expr& expr);
  // The first `count` postfixes of `expr` on `value`.
  Value ApplyPostfixes(const Expr& expr, Value value, size_t count);
  Value ApplyPostfix(const Postfix& postfix, const Value& value);
  Arguments EvaluateArguments(const CallArguments& arguments);
  Value Call(const Value& callee, Arguments arguments);
  Value CallMacro(const Macro& macro, Arguments arguments);
  void BindMacro(const MacroDefinition& definition, Arguments& arguments);
  Value MakeMacro(const MacroDefinition& definition);

  Value Lookup(Symbol symbol);
  void Set(Symbol symbol, Value value);
  void Assign(const Target& target, Value value);
  Scope* PushScope(Scope* parent);
  void ReleaseScope(Scope* scope);

  const Template& source_;
  Runtime& runtime_;
  std::vector<std::optional<Value>> globals_;  // by symbol
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::vector<Scope*> free_scopes_;
  Scope* scope_ = nullptr;
  TextBuilder output_;
  TextBuilder* out_ = &output_;
  uint32_t line_ = 1;
  uint32_t depth_ = 0;
  uint32_t call_depth_ = 0;
  std::optional<Symbol> loop_symbol_, caller_symbol_, varargs_symbol_, kwargs_symbol_;
};

}  // namespace ringlet::jinja
