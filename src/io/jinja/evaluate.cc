// The expression half of the interpreter.
#include <algorithm>

#include "io/jinja/error.h"
#include "io/jinja/filters.h"
#include "io/jinja/format.h"
#include "io/jinja/functions.h"
#include "io/jinja/interpreter.h"
#include "io/jinja/methods.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {

Value Interpreter::Evaluate(const Expr& expr) {
  if (expr.kind == ExprKind::kLiteral) return expr.value;
  const DepthGuard guard(&depth_, runtime_.limits().max_eval_depth, "the running template");
  runtime_.Step();
  line_ = expr.line;
  switch (expr.kind) {
    case ExprKind::kLiteral:
      break;
    case ExprKind::kName:
      return Lookup(expr.symbol);
    case ExprKind::kList:
    case ExprKind::kTuple:
      return EvaluateList(expr);
    case ExprKind::kDict:
      return EvaluateDict(expr);
    case ExprKind::kNot:
      return Value::Bool(!IsTrue(Evaluate(*expr.operands[0])));
    case ExprKind::kNegate:
      return Negate(Evaluate(*expr.operands[0]));
    case ExprKind::kPositive:
      return Positive(Evaluate(*expr.operands[0]));
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return EvaluateLogic(expr);
    case ExprKind::kCompare:
      return EvaluateCompare(expr);
    case ExprKind::kArithmetic:
      return EvaluateArithmetic(expr);
    case ExprKind::kConcat:
      return EvaluateConcat(expr);
    case ExprKind::kConditional:
      return EvaluateConditional(expr);
    case ExprKind::kPostfix:
      return EvaluatePostfix(expr);
  }
  return Value();
}

// The deciding operand itself, as in Python.
Value Interpreter::EvaluateLogic(const Expr& expr) {
  const bool stops_at = expr.kind == ExprKind::kOr;
  Value value;
  for (const ExprPtr& operand : expr.operands) {
    value = Evaluate(*operand);
    if (IsTrue(value) == stops_at) break;
  }
  return value;
}

Value Interpreter::EvaluateCompare(const Expr& expr) {
  Value left = Evaluate(*expr.operands[0]);
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    Value right = Evaluate(*expr.operands[i + 1]);
    const Operator op = expr.operators[i];
    const bool holds = op == Operator::kIn      ? Contains(runtime_, right, left)
                       : op == Operator::kNotIn ? !Contains(runtime_, right, left)
                                                : Compare(runtime_, op, left, right);
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

Value Interpreter::EvaluateArithmetic(const Expr& expr) {
  Value left = Evaluate(*expr.operands[0]);
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    left = Arithmetic(runtime_, expr.operators[i], left, Evaluate(*expr.operands[i + 1]));
  }
  return left;
}

Value Interpreter::EvaluateConcat(const Expr& expr) {
  TextBuilder text(runtime_);
  for (const ExprPtr& operand : expr.operands) AppendStr(text, Evaluate(*operand));
  return text.Finish();
}

Value Interpreter::EvaluateConditional(const Expr& expr) {
  size_t i = 0;
  for (; i + 1 < expr.operands.size(); i += 2) {
    if (IsTrue(Evaluate(*expr.operands[i + 1]))) return Evaluate(*expr.operands[i]);
  }
  if (i < expr.operands.size()) return Evaluate(*expr.operands[i]);
  return runtime_.Undefined("the inline if-expression evaluated to false and no else was given");
}

Value Interpreter::EvaluateList(const Expr& expr) {
  std::vector<Value> items;
  items.reserve(expr.operands.size());
  for (const ExprPtr& operand : expr.operands) items.push_back(Evaluate(*operand));
  return runtime_.NewList(expr.kind == ExprKind::kTuple ? ListType::kTuple : ListType::kList,
                          std::move(items));
}

Value Interpreter::EvaluateDict(const Expr& expr) {
  const Value dict = runtime_.NewDict();
  for (size_t i = 0; i < expr.operands.size(); i += 2) {
    Value key = Evaluate(*expr.operands[i]);
    runtime_.Set(dict.dict(), std::move(key), Evaluate(*expr.operands[i + 1]));
  }
  return dict;
}

Value Interpreter::EvaluatePostfix(const Expr& expr) {
  return ApplyPostfixes(expr, Evaluate(*expr.operands[0]), expr.postfixes.size());
}

Value Interpreter::ApplyPostfixes(const Expr& expr, Value value, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const Postfix& postfix = expr.postfixes[i];
    runtime_.Step();
    line_ = postfix.line;
    // value.method(...) without making a bound method.
    if (postfix.kind == PostfixKind::kAttribute && i + 1 < count &&
        expr.postfixes[i + 1].kind == PostfixKind::kCall && HasMethod(value, postfix.name)) {
      const Arguments arguments = EvaluateArguments(expr.postfixes[++i].arguments);
      value = CallMethod(runtime_, value, postfix.name, arguments);
      continue;
    }
    value = ApplyPostfix(postfix, value);
  }
  return value;
}

Value Interpreter::ApplyPostfix(const Postfix& postfix, const Value& value) {
  switch (postfix.kind) {
    case PostfixKind::kAttribute:
      return GetAttribute(runtime_, value, postfix.name);
    case PostfixKind::kItem:
      return GetItem(runtime_, value, Evaluate(*postfix.parts[0]));
    case PostfixKind::kSlice: {
      Value bounds[3];
      for (size_t i = 0; i < 3; ++i) {
        if (postfix.parts[i]) bounds[i] = Evaluate(*postfix.parts[i]);
      }
      return Slice(runtime_, value, bounds[0], bounds[1], bounds[2]);
    }
    case PostfixKind::kCall:
      return Call(value, EvaluateArguments(postfix.arguments));
    case PostfixKind::kFilter:
      return ApplyFilter(runtime_, *postfix.filter, value, EvaluateArguments(postfix.arguments));
    case PostfixKind::kTest:
      break;
  }
  const bool holds =
      ApplyTest(runtime_, *postfix.test, value, EvaluateArguments(postfix.arguments));
  return Value::Bool(holds != postfix.negated);
}

Arguments Interpreter::EvaluateArguments(const CallArguments& arguments) {
  Arguments out;
  for (const ExprPtr& expr : arguments.positional) out.positional.push_back(Evaluate(*expr));
  for (const auto& [name, expr] : arguments.named) out.named.emplace_back(name, Evaluate(*expr));
  if (arguments.spread) {
    for (Value& item : Iterate(runtime_, Evaluate(*arguments.spread))) {
      out.positional.push_back(std::move(item));
    }
  }
  if (arguments.spread_named) {
    const Value mapping = Evaluate(*arguments.spread_named);
    if (!IsMapping(mapping)) Fail("argument after ** must be a mapping, not {}", TypeName(mapping));
    runtime_.Step(mapping.dict().entries.size());
    for (const auto& [key, item] : mapping.dict().entries) {
      if (!key.IsString()) Fail("keywords must be strings");
      out.named.emplace_back(std::string(key.text()), item);
    }
  }
  return out;
}

Value Interpreter::Call(const Value& callee, Arguments arguments) {
  switch (callee.kind()) {
    case Kind::kFunction:
      return CallFunction(runtime_, callee, arguments);
    case Kind::kMethod: {
      const auto& method = callee.object<BoundMethod>();
      return CallMethod(runtime_, method.receiver, method.name, arguments);
    }
    case Kind::kMacro:
      return CallMacro(callee.object<Macro>(), std::move(arguments));
    case Kind::kJoiner: {
      auto& joiner = callee.object<Joiner>();
      const bool first = !std::exchange(joiner.used, true);
      return first ? runtime_.String("") : joiner.separator;
    }
    default:
      break;
  }
  RequireDefined(callee);
  Fail("'{}' object is not callable", TypeName(callee));
}

Value Interpreter::CallMacro(const Macro& macro, Arguments arguments) {
  const DepthGuard guard(&call_depth_, runtime_.limits().max_call_depth, "a macro call");
  const uint32_t line = line_;
  Scope* const outer = scope_;
  scope_ = PushScope(macro.scope);
  BindMacro(*macro.definition, arguments);
  Value text = Capture(*macro.definition->body);
  ReleaseScope(scope_);
  scope_ = outer;
  line_ = line;
  return text;
}

void Interpreter::BindMacro(const MacroDefinition& definition, Arguments& arguments) {
  const size_t count = definition.parameters.size();
  const size_t first_default = count - definition.defaults.size();
  const size_t given = std::min(arguments.positional.size(), count);
  for (size_t i = 0; i < count; ++i) {
    Value value;
    if (i < given) {
      value = std::move(arguments.positional[i]);
    } else if (!arguments.Take(definition.parameter_names[i], &value)) {
      value = i >= first_default ? Evaluate(*definition.defaults[i - first_default])
                                 : runtime_.Undefined(fmt::format("parameter '{}' was not provided",
                                                                  definition.parameter_names[i]));
    }
    Set(definition.parameters[i], std::move(value));
  }
  const auto& names = definition.parameter_names;
  const bool own_caller = std::find(names.begin(), names.end(), "caller") != names.end();
  if (definition.uses_caller && !own_caller) {
    Value caller;
    if (!arguments.Take("caller", &caller) || caller.IsNone()) {
      caller = runtime_.Undefined("No caller defined");
    }
    Set(*caller_symbol_, std::move(caller));
  }
  if (definition.uses_kwargs) {
    const Value kwargs = runtime_.NewDict();
    for (auto& [name, item] : arguments.named) {
      runtime_.Set(kwargs.dict(), runtime_.String(name), std::move(item));
    }
    Set(*kwargs_symbol_, kwargs);
  } else if (!arguments.named.empty()) {
    Fail("macro '{}' takes no keyword argument '{}'", definition.name,
         arguments.named[0].first.substr(0, 60));
  }
  if (definition.uses_varargs) {
    Set(*varargs_symbol_,
        runtime_.Tuple({arguments.positional.begin() + static_cast<ptrdiff_t>(given),
                        arguments.positional.end()}));
  } else if (arguments.positional.size() > count) {
    Fail("macro '{}' takes not more than {} argument(s)", definition.name, count);
  }
}

}  // namespace ringlet::jinja
