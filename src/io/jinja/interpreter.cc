#include "io/jinja/interpreter.h"

#include <algorithm>

#include "io/jinja/error.h"
#include "io/jinja/format.h"
#include "io/jinja/functions.h"
#include "io/jinja/loop.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {

Interpreter::Interpreter(const Template& source, Runtime& runtime)
    : source_(source), runtime_(runtime), globals_(source.symbols.size()), output_(runtime) {
  for (Symbol symbol = 0; symbol < source.symbols.size(); ++symbol) {
    const std::string& name = source.symbols[symbol];
    globals_[symbol] = FindFunction(name);
    if (name == "loop") loop_symbol_ = symbol;
    if (name == "caller") caller_symbol_ = symbol;
    if (name == "varargs") varargs_symbol_ = symbol;
    if (name == "kwargs") kwargs_symbol_ = symbol;
  }
}

bool Interpreter::Mentions(std::string_view name) const {
  return std::find(source_.symbols.begin(), source_.symbols.end(), name) != source_.symbols.end();
}

void Interpreter::Define(std::string_view name, Value value) {
  const auto it = std::find(source_.symbols.begin(), source_.symbols.end(), name);
  if (it == source_.symbols.end()) return;
  globals_[static_cast<size_t>(it - source_.symbols.begin())] = std::move(value);
}

std::string Interpreter::Run() {
  try {
    scope_ = PushScope(nullptr);
    ExecuteBody(source_.body);
  } catch (TemplateError& error) {
    if (error.line == 0) error.line = line_;
    throw;
  }
  return output_.Take();
}

Value Interpreter::Lookup(Symbol symbol) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (const auto& [name, value] : scope->variables) {
      if (name == symbol) return value;
    }
  }
  if (globals_[symbol]) return *globals_[symbol];
  return runtime_.Undefined(fmt::format("'{}' is undefined", source_.symbols[symbol]));
}

void Interpreter::Set(Symbol symbol, Value value) {
  for (auto& [name, held] : scope_->variables) {
    if (name != symbol) continue;
    held = std::move(value);
    return;
  }
  scope_->variables.emplace_back(symbol, std::move(value));
}

void Interpreter::Assign(const Target& target, Value value) {
  switch (target.kind) {
    case Target::Kind::kName:
      return Set(target.symbol, std::move(value));
    case Target::Kind::kAttribute: {
      const Value holder = Lookup(target.symbol);
      if (!holder.Is(Kind::kNamespace)) {
        Fail("cannot assign attribute '{}' of {}, expected a namespace", target.attribute,
             TypeName(holder));
      }
      return runtime_.Set(holder.dict(), runtime_.String(target.attribute), std::move(value));
    }
    case Target::Kind::kTuple:
      break;
  }
  RequireDefined(value);
  std::vector<Value> items = Iterate(runtime_, value);
  if (items.size() != target.parts.size()) {
    Fail("cannot unpack {} item(s) into {} names", items.size(), target.parts.size());
  }
  for (size_t i = 0; i < items.size(); ++i) Assign(target.parts[i], std::move(items[i]));
}

Scope* Interpreter::PushScope(Scope* parent) {
  Scope* scope = nullptr;
  if (free_scopes_.empty()) {
    runtime_.Charge(sizeof(Scope));
    scopes_.push_back(std::make_unique<Scope>());
    scope = scopes_.back().get();
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->parent = parent;
  return scope;
}

void Interpreter::ReleaseScope(Scope* scope) {
  if (scope->captured) return;
  scope->variables.clear();
  free_scopes_.push_back(scope);
}

Value Interpreter::MakeMacro(const MacroDefinition& definition) {
  for (Scope* scope = scope_; scope != nullptr && !scope->captured; scope = scope->parent) {
    scope->captured = true;
  }
  return Value::Of(Kind::kMacro, runtime_.New<Macro>(&definition, scope_));
}

void Interpreter::CheckOutput() const {
  if (output_.text().size() > runtime_.limits().max_output_bytes) {
    FailLimit("the output exceeds the limit of {} bytes", runtime_.limits().max_output_bytes);
  }
}

void Interpreter::Print(const Value& value) {
  AppendStr(*out_, value);
  CheckOutput();
}

Interpreter::Flow Interpreter::ExecuteBody(const Body& body) {
  const DepthGuard guard(&depth_, runtime_.limits().max_eval_depth, "the running template");
  for (const Statement& statement : body) {
    runtime_.Step();
    line_ = statement.line;
    const Flow flow = Execute(statement);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::Execute(const Statement& statement) {
  switch (statement.kind) {
    case StatementKind::kText:
      out_->Append(statement.text);
      CheckOutput();
      return Flow::kNormal;
    case StatementKind::kOutput:
      for (const ExprPtr& expr : statement.expressions) Print(Evaluate(*expr));
      return Flow::kNormal;
    case StatementKind::kSet:
      Assign(statement.targets[0], Evaluate(*statement.expressions[0]));
      return Flow::kNormal;
    case StatementKind::kSetBlock:
      ExecuteSetBlock(statement);
      return Flow::kNormal;
    case StatementKind::kIf:
      return ExecuteIf(statement);
    case StatementKind::kFor:
      return ExecuteFor(statement);
    case StatementKind::kMacro:
      Set(statement.symbol, MakeMacro(*statement.macro));
      return Flow::kNormal;
    case StatementKind::kCallBlock:
      ExecuteCallBlock(statement);
      return Flow::kNormal;
    case StatementKind::kFilterBlock:
      ExecuteFilterBlock(statement);
      return Flow::kNormal;
    case StatementKind::kWith:
      return ExecuteWith(statement);
    case StatementKind::kScope:
      return ExecuteInScope(statement.body);
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Interpreter::Flow Interpreter::ExecuteIf(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (IsTrue(Evaluate(*branch.condition))) return ExecuteBody(branch.body);
  }
  return ExecuteBody(statement.body);
}

Interpreter::Flow Interpreter::ExecuteFor(const Statement& statement) {
  const Value iterable = Evaluate(*statement.expressions[0]);
  Scope* const outer = scope_;
  Scope* const filter_scope = PushScope(outer);
  std::function<bool(const Value&)> accept;
  if (statement.expressions.size() > 1) {
    accept = [this, &statement, filter_scope](const Value& item) {
      Scope* const before = std::exchange(scope_, filter_scope);
      scope_->variables.clear();
      Assign(statement.targets[0], item);
      const bool accepted = IsTrue(Evaluate(*statement.expressions[1]));
      scope_ = before;
      return accepted;
    };
  }
  auto* loop = runtime_.New<Loop>(runtime_, iterable, std::move(accept));
  bool ran = false;
  Flow flow = Flow::kNormal;
  while (flow != Flow::kBreak && loop->Next()) {
    ran = true;
    scope_ = PushScope(outer);
    Assign(statement.targets[0], loop->current());
    if (loop_symbol_) Set(*loop_symbol_, Value::Of(Kind::kLoop, loop));
    flow = ExecuteBody(statement.body);
    ReleaseScope(scope_);
    scope_ = outer;
  }
  loop->Finish();
  ReleaseScope(filter_scope);
  return ran ? Flow::kNormal : ExecuteBody(statement.otherwise);
}

Interpreter::Flow Interpreter::ExecuteInScope(const Body& body) {
  Scope* const outer = scope_;
  scope_ = PushScope(outer);
  const Flow flow = ExecuteBody(body);
  ReleaseScope(scope_);
  scope_ = outer;
  return flow;
}

Interpreter::Flow Interpreter::ExecuteWith(const Statement& statement) {
  // The values are all evaluated outside the new scope.
  std::vector<Value> values;
  for (const ExprPtr& expr : statement.expressions) values.push_back(Evaluate(*expr));
  Scope* const outer = scope_;
  scope_ = PushScope(outer);
  for (size_t i = 0; i < values.size(); ++i) Assign(statement.targets[i], std::move(values[i]));
  const Flow flow = ExecuteBody(statement.body);
  ReleaseScope(scope_);
  scope_ = outer;
  return flow;
}

Value Interpreter::Capture(const Body& body) {
  TextBuilder text(runtime_);
  TextBuilder* const outer = std::exchange(out_, &text);
  ExecuteInScope(body);
  out_ = outer;
  return text.Finish();
}

void Interpreter::ExecuteSetBlock(const Statement& statement) {
  Value text = Capture(statement.body);
  if (!statement.expressions.empty()) {
    const Expr& filters = *statement.expressions[0];
    text = ApplyPostfixes(filters, std::move(text), filters.postfixes.size());
  }
  Assign(statement.targets[0], std::move(text));
}

void Interpreter::ExecuteFilterBlock(const Statement& statement) {
  const Expr& filters = *statement.expressions[0];
  Print(ApplyPostfixes(filters, Capture(statement.body), filters.postfixes.size()));
}

void Interpreter::ExecuteCallBlock(const Statement& statement) {
  const Expr& call = *statement.expressions[0];
  const size_t last = call.postfixes.size() - 1;
  const Value callee = ApplyPostfixes(call, Evaluate(*call.operands[0]), last);
  Arguments arguments = EvaluateArguments(call.postfixes[last].arguments);
  arguments.named.emplace_back("caller", MakeMacro(*statement.macro));
  Print(Call(callee, std::move(arguments)));
}

}  // namespace ringlet::jinja
