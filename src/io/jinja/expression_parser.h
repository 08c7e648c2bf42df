// The expression half of the parser. parser.cc derives the statements from it.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/jinja/ast.h"
#include "io/jinja/lexer.h"
#include "io/jinja/limits.h"
#include "io/jinja/runtime.h"

namespace ringlet::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, const TemplateLimits& limits)
      : limits_(limits), tokens_(std::move(tokens)) {}

 protected:
  const Token& Peek() const { return tokens_[next_]; }
  const Token& Next() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  const Token& Ahead() const { return tokens_[std::min(next_ + 1, tokens_.size() - 1)]; }
  bool AtOperator(std::string_view text) const;
  bool AtName(std::string_view text) const;
  bool TakeOperator(std::string_view text);
  bool TakeName(std::string_view text);
  void ExpectOperator(std::string_view text);
  std::string ExpectName(std::string_view what);
  [[noreturn]] void FailExpected(std::string_view expected) const;

  Symbol Intern(const std::string& name);

  ExprPtr ParseExpression();     // with inline if
  ExprPtr ParseUnconditional();  // without
  // One expression, or a tuple of several separated by commas.
  ExprPtr ParseTuple(bool with_conditional, bool allow_empty = false);
  // "|name(...)" postfixes onto `base`; with `first`, the name comes without a bar.
  void ParseFilters(Expr* base, bool first);

  struct UsedNames {
    bool caller = false, varargs = false, kwargs = false;
  };

  const TemplateLimits& limits_;
  uint32_t depth_ = 0;
  std::vector<std::string> symbols_;
  UsedNames used_;  // since the innermost macro began

 private:
  ExprPtr New(ExprKind kind) const { return std::make_unique<Expr>(kind, Peek().line); }
  ExprPtr ParseBinary(int min_level);
  ExprPtr ParseNot();
  ExprPtr ParseUnary(bool with_filters);
  ExprPtr ParsePrimary();
  ExprPtr ParseName();
  ExprPtr ParseString();
  ExprPtr ParseList();
  ExprPtr ParseDict();
  ExprPtr ParsePostfix(ExprPtr base, bool with_filters);
  Postfix ParseAttribute();
  Postfix ParseSubscript();
  Postfix ParseTest();
  Postfix ParseFilter();
  CallArguments ParseCall();
  bool AtTestArgument() const;

  std::vector<Token> tokens_;
  size_t next_ = 0;
  std::map<std::string, Symbol, std::less<>> symbol_index_;
};

}  // namespace ringlet::jinja
