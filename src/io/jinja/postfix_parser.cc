// What follows a primary expression: attributes, subscripts, calls, filters and tests.
#include <algorithm>

#include "io/jinja/error.h"
#include "io/jinja/expression_parser.h"
#include "io/jinja/filters.h"

namespace ringlet::jinja {

ExprPtr ExpressionParser::ParsePostfix(ExprPtr base, bool with_filters) {
  std::vector<Postfix> postfixes;
  bool filtered = false;  // after a filter or test, Jinja takes calls but no attributes
  while (true) {
    const uint32_t line = Peek().line;
    if (!filtered && AtOperator(".")) {
      postfixes.push_back(ParseAttribute());
    } else if (!filtered && AtOperator("[")) {
      postfixes.push_back(ParseSubscript());
    } else if (AtOperator("(")) {
      postfixes.emplace_back(PostfixKind::kCall);
      postfixes.back().arguments = ParseCall();
    } else if (with_filters && AtOperator("|")) {
      Next();
      postfixes.push_back(ParseFilter());
      filtered = true;
    } else if (with_filters && AtName("is")) {
      Next();
      postfixes.push_back(ParseTest());
      filtered = true;
    } else {
      break;
    }
    postfixes.back().line = line;
  }
  if (postfixes.empty()) return base;
  auto expr = std::make_unique<Expr>(ExprKind::kPostfix, base->line);
  expr->operands.push_back(std::move(base));
  expr->postfixes = std::move(postfixes);
  return expr;
}

Postfix ExpressionParser::ParseAttribute() {
  ExpectOperator(".");
  Postfix postfix{PostfixKind::kAttribute};
  if (Peek().kind == TokenKind::kInteger) {  // value.0
    postfix.kind = PostfixKind::kItem;
    postfix.parts[0] = ParsePrimary();
    return postfix;
  }
  postfix.name = ExpectName("an attribute name");
  return postfix;
}

Postfix ExpressionParser::ParseSubscript() {
  ExpectOperator("[");
  Postfix postfix{PostfixKind::kItem};
  size_t part = 0;
  while (!AtOperator("]")) {
    if (AtOperator(":") && part < 2) {
      Next();
      postfix.kind = PostfixKind::kSlice;
      ++part;
      continue;
    }
    if (postfix.parts[part] != nullptr || part > 2) FailExpected("']'");
    postfix.parts[part] = ParseExpression();
  }
  if (postfix.kind == PostfixKind::kItem && postfix.parts[0] == nullptr) {
    FailExpected("a subscript");
  }
  Next();
  return postfix;
}

CallArguments ExpressionParser::ParseCall() {
  CallArguments arguments;
  ExpectOperator("(");
  bool first = true;
  while (!AtOperator(")")) {
    if (!first) {
      ExpectOperator(",");
      if (AtOperator(")")) break;
    }
    first = false;
    if (TakeOperator("*")) {
      if (arguments.spread || arguments.spread_named) FailExpected("one *argument");
      arguments.spread = ParseExpression();
    } else if (TakeOperator("**")) {
      if (arguments.spread_named) FailExpected("one **argument");
      arguments.spread_named = ParseExpression();
    } else if (Peek().kind == TokenKind::kName && Ahead().kind == TokenKind::kOperator &&
               Ahead().text == "=") {
      if (arguments.spread_named) FailExpected("no argument after **");
      std::string name = Next().text;
      Next();
      for (const auto& [other, value] : arguments.named) {
        if (other == name) FailAt(Peek().line, "found the argument '{}' twice", name);
      }
      arguments.named.emplace_back(std::move(name), ParseExpression());
    } else {
      if (!arguments.named.empty() || arguments.spread || arguments.spread_named) {
        FailExpected("a named argument");
      }
      arguments.positional.push_back(ParseExpression());
    }
  }
  Next();
  return arguments;
}

Postfix ExpressionParser::ParseFilter() {
  const uint32_t line = Peek().line;
  const std::string name = ExpectName("a filter name");
  Postfix postfix{PostfixKind::kFilter};
  postfix.line = line;
  postfix.filter = FindFilter(name);
  if (postfix.filter == nullptr) FailAt(line, "there is no filter named '{}'", name.substr(0, 60));
  if (AtOperator("(")) postfix.arguments = ParseCall();
  return postfix;
}

void ExpressionParser::ParseFilters(Expr* base, bool first) {
  if (first) base->postfixes.push_back(ParseFilter());
  while (TakeOperator("|")) base->postfixes.push_back(ParseFilter());
}

bool ExpressionParser::AtTestArgument() const {
  switch (Peek().kind) {
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return true;
    case TokenKind::kOperator:
      return AtOperator("[") || AtOperator("{");
    case TokenKind::kName: {
      constexpr std::string_view kNotArguments[] = {"else", "or", "and", "if", "not", "in"};
      return std::find(std::begin(kNotArguments), std::end(kNotArguments), Peek().text) ==
             std::end(kNotArguments);
    }
    default:
      return false;
  }
}

Postfix ExpressionParser::ParseTest() {
  Postfix postfix{PostfixKind::kTest};
  postfix.negated = TakeName("not");
  const uint32_t line = Peek().line;
  const std::string name = ExpectName("a test name");
  postfix.test = FindTest(name);
  if (postfix.test == nullptr) FailAt(line, "there is no test named '{}'", name.substr(0, 60));
  if (AtOperator("(")) {
    postfix.arguments = ParseCall();
  } else if (AtTestArgument()) {
    if (AtName("is")) FailExpected("one test (they cannot be chained with 'is')");
    const DepthGuard guard(&depth_, limits_.max_nesting, "the template");
    postfix.arguments.positional.push_back(ParsePostfix(ParsePrimary(), false));
  }
  return postfix;
}

}  // namespace ringlet::jinja
