#include "io/jinja/expression_parser.h"

#include <algorithm>

#include "io/jinja/error.h"
#include "io/jinja/filters.h"

namespace ringlet::jinja {
namespace {

// Binary operators from the loosest to the tightest. Each level becomes one kind of chain.
enum Level : int {
  kOrLevel = 1,
  kAndLevel,
  kNotLevel,
  kCompareLevel,
  kAddLevel,
  kConcatLevel,
  kMultiplyLevel,
  kPowerLevel
};

struct BinaryOperator {
  std::string_view text;
  int level;
  Operator op;
};

constexpr BinaryOperator kBinaryOperators[] = {
    {"==", kCompareLevel, Operator::kEqual},  {"!=", kCompareLevel, Operator::kNotEqual},
    {"<", kCompareLevel, Operator::kLess},    {"<=", kCompareLevel, Operator::kLessEqual},
    {">", kCompareLevel, Operator::kGreater}, {">=", kCompareLevel, Operator::kGreaterEqual},
    {"+", kAddLevel, Operator::kAdd},         {"-", kAddLevel, Operator::kSubtract},
    {"~", kConcatLevel, Operator::kAdd},      {"*", kMultiplyLevel, Operator::kMultiply},
    {"/", kMultiplyLevel, Operator::kDivide}, {"//", kMultiplyLevel, Operator::kFloorDivide},
    {"%", kMultiplyLevel, Operator::kModulo}, {"**", kPowerLevel, Operator::kPower},
};

constexpr BinaryOperator kNameOperators[] = {
    {"or", kOrLevel, Operator::kAdd},
    {"and", kAndLevel, Operator::kAdd},
    {"in", kCompareLevel, Operator::kIn},
    {"not", kCompareLevel, Operator::kNotIn},  // of "not in"
};

constexpr std::string_view kReserved[] = {"and", "or", "not", "in", "is", "if", "else"};

bool IsReserved(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

ExprKind KindOf(int level) {
  switch (level) {
    case kOrLevel:
      return ExprKind::kOr;
    case kAndLevel:
      return ExprKind::kAnd;
    case kCompareLevel:
      return ExprKind::kCompare;
    case kConcatLevel:
      return ExprKind::kConcat;
    default:
      return ExprKind::kArithmetic;
  }
}

// Adds "op right" to the chain that `left` is, or begins one.
ExprPtr Extend(ExprPtr left, const BinaryOperator& op, ExprPtr right) {
  const ExprKind kind = KindOf(op.level);
  // Two levels share kArithmetic, but a tighter chain on the left has the same value either way.
  if (left->kind != kind || left->closed) {
    auto chain = std::make_unique<Expr>(kind, left->line);
    chain->operands.push_back(std::move(left));
    left = std::move(chain);
  }
  left->operators.push_back(op.op);
  left->operands.push_back(std::move(right));
  return left;
}

}  // namespace

bool ExpressionParser::AtOperator(std::string_view text) const {
  return Peek().kind == TokenKind::kOperator && Peek().text == text;
}

bool ExpressionParser::AtName(std::string_view text) const {
  return Peek().kind == TokenKind::kName && Peek().text == text;
}

bool ExpressionParser::TakeOperator(std::string_view text) {
  if (!AtOperator(text)) return false;
  Next();
  return true;
}

bool ExpressionParser::TakeName(std::string_view text) {
  if (!AtName(text)) return false;
  Next();
  return true;
}

void ExpressionParser::ExpectOperator(std::string_view text) {
  if (!TakeOperator(text)) FailExpected(fmt::format("'{}'", text));
}

std::string ExpressionParser::ExpectName(std::string_view what) {
  if (Peek().kind != TokenKind::kName) FailExpected(what);
  return Next().text;
}

void ExpressionParser::FailExpected(std::string_view expected) const {
  FailAt(Peek().line, "found {}, expected {}", Describe(Peek()), expected);
}

Symbol ExpressionParser::Intern(const std::string& name) {
  const auto [it, added] = symbol_index_.emplace(name, static_cast<Symbol>(symbols_.size()));
  if (added) symbols_.push_back(name);
  return it->second;
}

ExprPtr ExpressionParser::ParseUnconditional() {
  const DepthGuard guard(&depth_, limits_.max_nesting, "the template");
  return ParseBinary(kOrLevel);
}

ExprPtr ExpressionParser::ParseExpression() {
  const DepthGuard guard(&depth_, limits_.max_nesting, "the template");
  ExprPtr value = ParseBinary(kOrLevel);
  if (!AtName("if")) return value;
  ExprPtr chain = New(ExprKind::kConditional);
  while (TakeName("if")) {
    chain->operands.push_back(std::move(value));
    chain->operands.push_back(ParseBinary(kOrLevel));
    if (!TakeName("else")) return chain;
    value = ParseBinary(kOrLevel);
  }
  chain->operands.push_back(std::move(value));
  return chain;
}

ExprPtr ExpressionParser::ParseBinary(int min_level) {
  ExprPtr left = AtName("not") && min_level <= kNotLevel ? ParseNot() : ParseUnary(true);
  while (true) {
    const BinaryOperator* found = nullptr;
    if (Peek().kind == TokenKind::kOperator) {
      for (const BinaryOperator& op : kBinaryOperators) {
        if (op.text == Peek().text) found = &op;
      }
    } else if (Peek().kind == TokenKind::kName) {
      for (const BinaryOperator& op : kNameOperators) {
        if (op.text == Peek().text) found = &op;
      }
      if (found != nullptr && found->op == Operator::kNotIn &&
          !(Ahead().kind == TokenKind::kName && Ahead().text == "in")) {
        found = nullptr;
      }
    }
    if (found == nullptr || found->level < min_level) return left;
    Next();
    if (found->op == Operator::kNotIn) Next();
    left = Extend(std::move(left), *found, ParseBinary(found->level + 1));
  }
}

ExprPtr ExpressionParser::ParseNot() {
  ExprPtr outer = New(ExprKind::kNot);
  size_t count = 0;
  for (; AtName("not"); ++count) Next();
  ExprPtr operand = ParseBinary(kCompareLevel);
  if (count % 2 == 0) {  // "not not x" is x as a boolean
    ExprPtr inner = New(ExprKind::kNot);
    inner->operands.push_back(std::move(operand));
    operand = std::move(inner);
  }
  outer->operands.push_back(std::move(operand));
  outer->closed = true;
  return outer;
}

ExprPtr ExpressionParser::ParseUnary(bool with_filters) {
  if (!AtOperator("-") && !AtOperator("+")) {
    return ParsePostfix(ParsePrimary(), with_filters);
  }
  const DepthGuard guard(&depth_, limits_.max_nesting, "the template");
  ExprPtr sign = New(AtOperator("-") ? ExprKind::kNegate : ExprKind::kPositive);
  Next();
  sign->operands.push_back(ParseUnary(false));
  return ParsePostfix(std::move(sign), with_filters);
}

ExprPtr ExpressionParser::ParsePrimary() {
  const Token& token = Peek();
  switch (token.kind) {
    case TokenKind::kName:
      return ParseName();
    case TokenKind::kString:
      return ParseString();
    case TokenKind::kInteger:
    case TokenKind::kFloat: {
      ExprPtr literal = New(ExprKind::kLiteral);
      literal->value =
          token.kind == TokenKind::kFloat ? Value::Float(token.number) : Value::Int(token.integer);
      Next();
      return literal;
    }
    default:
      break;
  }
  if (AtOperator("[")) return ParseList();
  if (AtOperator("{")) return ParseDict();
  if (!AtOperator("(")) FailExpected("an expression");
  Next();
  ExprPtr inner = ParseTuple(true, true);
  ExpectOperator(")");
  inner->closed = true;
  return inner;
}

ExprPtr ExpressionParser::ParseName() {
  const std::string& name = Peek().text;
  if (IsReserved(name)) FailExpected("an expression");
  ExprPtr expr = New(ExprKind::kLiteral);
  if (name == "true" || name == "True" || name == "false" || name == "False") {
    expr->value = Value::Bool(name == "true" || name == "True");
  } else if (name != "none" && name != "None") {
    expr->kind = ExprKind::kName;
    expr->symbol = Intern(name);
    used_.caller |= name == "caller";
    used_.varargs |= name == "varargs";
    used_.kwargs |= name == "kwargs";
  }
  Next();
  return expr;
}

ExprPtr ExpressionParser::ParseString() {
  ExprPtr literal = New(ExprKind::kLiteral);
  std::string text;
  while (Peek().kind == TokenKind::kString) text += Next().text;
  literal->value = Value(std::make_shared<const Text>(std::move(text), nullptr));
  return literal;
}

ExprPtr ExpressionParser::ParseList() {
  ExprPtr list = New(ExprKind::kList);
  ExpectOperator("[");
  while (!AtOperator("]")) {
    if (!list->operands.empty()) {
      ExpectOperator(",");
      if (AtOperator("]")) break;
    }
    list->operands.push_back(ParseExpression());
  }
  Next();
  return list;
}

ExprPtr ExpressionParser::ParseDict() {
  ExprPtr dict = New(ExprKind::kDict);
  ExpectOperator("{");
  while (!AtOperator("}")) {
    if (!dict->operands.empty()) {
      ExpectOperator(",");
      if (AtOperator("}")) break;
    }
    dict->operands.push_back(ParseExpression());
    ExpectOperator(":");
    dict->operands.push_back(ParseExpression());
  }
  Next();
  return dict;
}

ExprPtr ExpressionParser::ParseTuple(bool with_conditional, bool allow_empty) {
  const auto at_end = [&] {
    return Peek().kind == TokenKind::kOutputEnd || Peek().kind == TokenKind::kBlockEnd ||
           AtOperator(")") || AtName("recursive");
  };
  ExprPtr tuple = New(ExprKind::kTuple);
  bool is_tuple = false;
  while (!at_end()) {
    tuple->operands.push_back(with_conditional ? ParseExpression() : ParseUnconditional());
    if (!TakeOperator(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return tuple;
  if (!tuple->operands.empty()) return std::move(tuple->operands[0]);
  if (!allow_empty) FailExpected("an expression");
  return tuple;
}

}  // namespace ringlet::jinja
