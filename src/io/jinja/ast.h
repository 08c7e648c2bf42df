// The parsed template. Chains of one precedence level (a + b - c, x or y or z, value.a[0]|f|g) are
// single nodes with a list, so the depth of the tree is the nesting of the source and recursion
// over it is bounded by TemplateLimits::max_nesting.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/jinja/operators.h"
#include "io/jinja/value.h"

namespace ringlet::jinja {

struct FilterSpec;
struct TestSpec;
struct Expr;
struct Postfix;
struct Statement;
using ExprPtr = std::unique_ptr<Expr>;
using Body = std::vector<Statement>;
using Symbol = uint32_t;  // index into Template::symbols

enum class ExprKind : uint8_t {
  kLiteral,      // value
  kName,         // symbol
  kList,         // operands
  kTuple,        // operands
  kDict,         // operands: key, value, key, value, ...
  kNot,          // operands[0]
  kNegate,       // operands[0]
  kPositive,     // operands[0]
  kAnd,          // operands
  kOr,           // operands
  kCompare,      // operands[0] operators[0] operands[1] operators[1] ...: a chain, as in Python
  kArithmetic,   // the same layout, evaluated from the left
  kConcat,       // operands
  kConditional,  // operands: value, condition, value, condition, ..., [value]
  kPostfix,      // operands[0], then postfixes from the left
};

struct Expr {
  Expr(ExprKind k, uint32_t l);
  ~Expr();
  ExprKind kind;
  bool closed = false;  // in parentheses: a longer chain must not absorb it
  uint32_t line;
  Symbol symbol = 0;
  Value value;
  std::vector<ExprPtr> operands;
  std::vector<Operator> operators;
  std::vector<Postfix> postfixes;
};

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr spread;        // *args
  ExprPtr spread_named;  // **kwargs
};

enum class PostfixKind : uint8_t { kAttribute, kItem, kSlice, kCall, kFilter, kTest };

struct Postfix {
  explicit Postfix(PostfixKind k) : kind(k) {}
  PostfixKind kind;
  bool negated = false;  // kTest: "is not"
  uint32_t line = 0;
  std::string name;         // kAttribute
  ExprPtr parts[3];         // kItem: the key; kSlice: start, stop, step, null when absent
  CallArguments arguments;  // kCall, kFilter, kTest
  const FilterSpec* filter = nullptr;
  const TestSpec* test = nullptr;
};

inline Expr::Expr(ExprKind k, uint32_t l) : kind(k), line(l) {}
inline Expr::~Expr() = default;

// What an assignment writes: a name, namespace.attribute, or a tuple of targets.
struct Target {
  enum class Kind : uint8_t { kName, kAttribute, kTuple };
  Kind kind = Kind::kName;
  Symbol symbol = 0;
  std::string attribute;
  std::vector<Target> parts;
};

// A macro, or the body of a call block.
struct MacroDefinition {
  std::string name;
  std::vector<Symbol> parameters;
  std::vector<std::string> parameter_names;
  std::vector<ExprPtr> defaults;  // of the last parameters
  bool uses_caller = false;
  bool uses_varargs = false;
  bool uses_kwargs = false;
  std::unique_ptr<Body> body;
};

struct Branch {
  ExprPtr condition;
  Body body;
};

enum class StatementKind : uint8_t {
  kText,         // text
  kOutput,       // expressions
  kSet,          // target = expressions[0]
  kSetBlock,     // target = the text of body, through expressions[0] (a filter chain) if present
  kIf,           // branches, then body as the else
  kFor,          // target in expressions[0] [if expressions[1]]: body, otherwise
  kMacro,        // symbol = macro
  kCallBlock,    // expressions[0] is a call; macro is its caller
  kFilterBlock,  // expressions[0] (a filter chain) of body
  kWith,         // targets = expressions: body
  kScope,        // body with its own scope
  kBreak,
  kContinue,
};

struct Statement {
  Statement(StatementKind k, uint32_t l) : kind(k), line(l) {}
  StatementKind kind;
  uint32_t line;
  Symbol symbol = 0;
  std::string text;
  std::vector<Target> targets;
  std::vector<ExprPtr> expressions;
  std::vector<Branch> branches;
  std::unique_ptr<MacroDefinition> macro;
  Body body;
  Body otherwise;
};

struct Template {
  Body body;
  std::vector<std::string> symbols;
};

}  // namespace ringlet::jinja
