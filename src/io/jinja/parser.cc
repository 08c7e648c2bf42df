#include "io/jinja/parser.h"

#include "io/jinja/error.h"
#include "io/jinja/expression_parser.h"

namespace ringlet::jinja {
namespace {

using EndTags = std::initializer_list<std::string_view>;

class StatementParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  std::unique_ptr<const Template> Run() {
    auto result = std::make_unique<Template>();
    try {
      result->body = ParseBody({}, "");
    } catch (TemplateError& error) {
      if (error.line == 0) error.line = Peek().line;
      throw;
    }
    result->symbols = std::move(symbols_);
    return result;
  }

 private:
  Body ParseBody(EndTags end_tags, std::string_view opened_by);
  // "%}", the body, and the start of the end tag, whose name is returned.
  std::string ParseBlock(EndTags end_tags, std::string_view opened_by, Body* body);
  Statement ParseTag();
  void ParseSet(Statement& statement);
  void ParseIf(Statement& statement);
  void ParseFor(Statement& statement);
  void ParseMacro(Statement& statement);
  void ParseCallBlock(Statement& statement);
  void ParseFilterBlock(Statement& statement);
  void ParseWith(Statement& statement);
  void ParseLoopControl(Statement& statement);
  void ParsePrint(Statement& statement);
  void ParseGeneration(Statement& statement);

  Target ParseTarget(bool with_attributes);
  Target ParseTargetPart(bool with_attributes);
  void ParseParameters(MacroDefinition& macro);
  void ParseMacroBody(MacroDefinition& macro, std::string_view end_tag, std::string_view opened_by);
  ExprPtr EmptyChain() const { return std::make_unique<Expr>(ExprKind::kPostfix, Peek().line); }

  struct TagParser {
    std::string_view tag;
    StatementKind kind;
    void (StatementParser::*parse)(Statement& statement);
  };
  static const TagParser kTags[];

  uint32_t loops_ = 0;  // around the current statement, inside the innermost macro
};

const StatementParser::TagParser StatementParser::kTags[] = {
    {"set", StatementKind::kSet, &StatementParser::ParseSet},
    {"if", StatementKind::kIf, &StatementParser::ParseIf},
    {"for", StatementKind::kFor, &StatementParser::ParseFor},
    {"macro", StatementKind::kMacro, &StatementParser::ParseMacro},
    {"call", StatementKind::kCallBlock, &StatementParser::ParseCallBlock},
    {"filter", StatementKind::kFilterBlock, &StatementParser::ParseFilterBlock},
    {"with", StatementKind::kWith, &StatementParser::ParseWith},
    {"print", StatementKind::kOutput, &StatementParser::ParsePrint},
    {"break", StatementKind::kBreak, &StatementParser::ParseLoopControl},
    {"continue", StatementKind::kContinue, &StatementParser::ParseLoopControl},
    {"generation", StatementKind::kScope, &StatementParser::ParseGeneration},
};

std::string Quoted(EndTags tags) {
  std::string out;
  for (const std::string_view tag : tags) {
    out += fmt::format("{}'{}'", out.empty() ? "" : " or ", tag);
  }
  return out;
}

Body StatementParser::ParseBody(EndTags end_tags, std::string_view opened_by) {
  const DepthGuard guard(&depth_, limits_.max_nesting, "the template");
  Body body;
  while (true) {
    const Token& token = Peek();
    if (token.kind == TokenKind::kText) {
      body.emplace_back(StatementKind::kText, token.line);
      body.back().text = Next().text;
    } else if (token.kind == TokenKind::kOutputBegin) {
      body.emplace_back(StatementKind::kOutput, token.line);
      Next();
      body.back().expressions.push_back(ParseTuple(true));
      if (Peek().kind != TokenKind::kOutputEnd) FailExpected("'}}'");
      Next();
    } else if (token.kind == TokenKind::kBlockBegin) {
      Next();
      for (const std::string_view tag : end_tags) {
        if (AtName(tag)) return body;
      }
      body.push_back(ParseTag());
      if (Peek().kind != TokenKind::kBlockEnd) FailExpected("'%}'");
      Next();
    } else {
      if (end_tags.size() == 0) return body;
      FailAt(token.line, "found the end of the template, expected {} to close '{}'",
             Quoted(end_tags), opened_by);
    }
  }
}

std::string StatementParser::ParseBlock(EndTags end_tags, std::string_view opened_by, Body* body) {
  TakeOperator(":");
  if (Peek().kind != TokenKind::kBlockEnd) FailExpected("'%}'");
  Next();
  *body = ParseBody(end_tags, opened_by);
  return Next().text;
}

Statement StatementParser::ParseTag() {
  const uint32_t line = Peek().line;
  const std::string name = ExpectName("a tag name");
  for (const TagParser& tag : kTags) {
    if (tag.tag != name) continue;
    Statement statement(tag.kind, line);
    (this->*tag.parse)(statement);
    return statement;
  }
  if (name.starts_with("end") || name == "else" || name == "elif") {
    FailAt(line, "found '{}' without the tag it closes", name.substr(0, 60));
  }
  FailAt(line, "there is no tag named '{}'", name.substr(0, 60));
}

void StatementParser::ParseSet(Statement& statement) {
  statement.targets.push_back(ParseTarget(true));
  if (TakeOperator("=")) {
    statement.expressions.push_back(ParseTuple(true));
    return;
  }
  statement.kind = StatementKind::kSetBlock;
  ExprPtr filters = EmptyChain();
  ParseFilters(filters.get(), false);
  if (!filters->postfixes.empty()) statement.expressions.push_back(std::move(filters));
  ParseBlock({"endset"}, "set", &statement.body);
}

void StatementParser::ParseIf(Statement& statement) {
  std::string tag = "if";
  while (tag == "if" || tag == "elif") {
    Branch branch;
    branch.condition = ParseTuple(false);
    tag = ParseBlock({"elif", "else", "endif"}, "if", &branch.body);
    statement.branches.push_back(std::move(branch));
  }
  if (tag == "else") ParseBlock({"endif"}, "if", &statement.body);
}

void StatementParser::ParseFor(Statement& statement) {
  statement.targets.push_back(ParseTarget(false));
  if (!TakeName("in")) FailExpected("'in'");
  statement.expressions.push_back(ParseTuple(false));
  if (TakeName("if")) statement.expressions.push_back(ParseExpression());
  if (AtName("recursive")) {
    FailAt(Peek().line, "found 'recursive', expected a loop that is not (they are not supported)");
  }
  ++loops_;
  const std::string tag = ParseBlock({"endfor", "else"}, "for", &statement.body);
  --loops_;
  if (tag == "else") ParseBlock({"endfor"}, "for", &statement.otherwise);
}

void StatementParser::ParseParameters(MacroDefinition& macro) {
  ExpectOperator("(");
  while (!AtOperator(")")) {
    if (!macro.parameters.empty()) {
      ExpectOperator(",");
      if (AtOperator(")")) break;
    }
    const std::string name = ExpectName("a parameter name");
    for (const std::string& other : macro.parameter_names) {
      if (other == name) FailAt(Peek().line, "found the parameter '{}' twice", name);
    }
    macro.parameters.push_back(Intern(name));
    macro.parameter_names.push_back(name);
    if (TakeOperator("=")) {
      macro.defaults.push_back(ParseExpression());
    } else if (!macro.defaults.empty()) {
      FailExpected("a default, since the parameter before has one");
    }
  }
  Next();
}

void StatementParser::ParseMacroBody(MacroDefinition& macro, std::string_view end_tag,
                                     std::string_view opened_by) {
  const UsedNames outer = used_;
  const uint32_t outer_loops = loops_;
  used_ = {};
  loops_ = 0;
  macro.body = std::make_unique<Body>();
  ParseBlock({end_tag}, opened_by, macro.body.get());
  macro.uses_caller = used_.caller;
  macro.uses_varargs = used_.varargs;
  macro.uses_kwargs = used_.kwargs;
  loops_ = outer_loops;
  used_.caller |= outer.caller;
  used_.varargs |= outer.varargs;
  used_.kwargs |= outer.kwargs;
}

void StatementParser::ParseMacro(Statement& statement) {
  statement.macro = std::make_unique<MacroDefinition>();
  statement.macro->name = ExpectName("a macro name");
  statement.symbol = Intern(statement.macro->name);
  ParseParameters(*statement.macro);
  ParseMacroBody(*statement.macro, "endmacro", "macro");
}

void StatementParser::ParseCallBlock(Statement& statement) {
  statement.macro = std::make_unique<MacroDefinition>();
  statement.macro->name = "caller";
  if (AtOperator("(")) ParseParameters(*statement.macro);
  ExprPtr call = ParseExpression();
  if (call->kind != ExprKind::kPostfix || call->postfixes.back().kind != PostfixKind::kCall) {
    FailAt(statement.line, "found another expression after 'call', expected the call of a macro");
  }
  statement.expressions.push_back(std::move(call));
  ParseMacroBody(*statement.macro, "endcall", "call");
}

void StatementParser::ParseFilterBlock(Statement& statement) {
  statement.expressions.push_back(EmptyChain());
  ParseFilters(statement.expressions[0].get(), true);
  ParseBlock({"endfilter"}, "filter", &statement.body);
}

void StatementParser::ParseWith(Statement& statement) {
  while (Peek().kind != TokenKind::kBlockEnd) {
    if (!statement.targets.empty()) ExpectOperator(",");
    statement.targets.push_back(ParseTargetPart(false));
    ExpectOperator("=");
    statement.expressions.push_back(ParseExpression());
  }
  ParseBlock({"endwith"}, "with", &statement.body);
}

void StatementParser::ParseLoopControl(Statement& statement) {
  if (loops_ == 0) {
    FailAt(statement.line, "found '{}' outside a loop",
           statement.kind == StatementKind::kBreak ? "break" : "continue");
  }
}

void StatementParser::ParsePrint(Statement& statement) {
  while (Peek().kind != TokenKind::kBlockEnd) {
    if (!statement.expressions.empty()) ExpectOperator(",");
    statement.expressions.push_back(ParseExpression());
  }
}

// Marks the assistant's text for training masks; rendering passes it through.
void StatementParser::ParseGeneration(Statement& statement) {
  const uint32_t outer_loops = loops_;
  loops_ = 0;
  ParseBlock({"endgeneration"}, "generation", &statement.body);
  loops_ = outer_loops;
}

Target StatementParser::ParseTarget(bool with_attributes) {
  Target first = ParseTargetPart(with_attributes);
  if (!AtOperator(",")) return first;
  Target tuple;
  tuple.kind = Target::Kind::kTuple;
  tuple.parts.push_back(std::move(first));
  while (TakeOperator(",")) {
    if (Peek().kind == TokenKind::kBlockEnd || AtOperator(")") || AtOperator("=") || AtName("in")) {
      break;
    }
    tuple.parts.push_back(ParseTargetPart(with_attributes));
  }
  return tuple;
}

Target StatementParser::ParseTargetPart(bool with_attributes) {
  if (TakeOperator("(")) {
    const DepthGuard guard(&depth_, limits_.max_nesting, "the template");
    Target inner = ParseTarget(with_attributes);
    ExpectOperator(")");
    return inner;
  }
  Target target;
  const uint32_t line = Peek().line;
  const std::string name = ExpectName("a name to assign to");
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant) FailAt(line, "found '{}', expected a name to assign to", name);
  }
  target.symbol = Intern(name);
  if (with_attributes && TakeOperator(".")) {
    target.kind = Target::Kind::kAttribute;
    target.attribute = ExpectName("an attribute name");
  }
  return target;
}

}  // namespace

std::unique_ptr<const Template> ParseTemplate(std::string_view source,
                                              const TemplateLimits& limits) {
  return StatementParser(Tokenize(source), limits).Run();
}

}  // namespace ringlet::jinja
