#include "server/api/output_fields.h"

#include <utility>

#include <fmt/format.h>

#include "server/api/grammar_constraint.h"
#include "server/chat/tool_grammar.h"

namespace ringlet {
namespace {

constexpr int64_t kMaxBudget = int64_t{1} << 31;
constexpr std::pair<std::string_view, int64_t> kEfforts[] = {
    {"minimal", 256}, {"low", 1024}, {"medium", 8192}};

void ReadSchema(Fields& fields, const ServedModel& model, const std::string& key,
                const OrderedJson& named, ChatRequest& request) {
  Fields inner(named, key);
  const OrderedJson* schema = inner.Any("schema");
  inner.Ignore({"name", "description", "strict", "type"});
  if (schema == nullptr) inner.Fail("schema", "nothing", "a JSON schema");
  if (const Status status = inner.Finish(); !status.ok()) return fields.Fail(key, status);
  auto matcher = model.grammars->Schema(*schema, key + ".schema");
  if (!matcher.ok()) return fields.Fail(key, matcher.status());
  request.grammar = std::move(matcher).value();
}

// A grammar of one text.
std::string LiteralGrammar(std::string_view text) {
  std::string out = "root ::= \"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

Status AddCallParts(const ServedModel& model, const server::ToolGrammar& grammar,
                    ConstraintPlan& plan) {
  if (!grammar.gbnf.empty()) {
    RINGLET_ASSIGN_OR_RETURN(auto calls, model.grammars->Gbnf(grammar.gbnf, "tools"));
    plan.parts.push_back(std::move(calls));
    return Status::Ok();
  }
  for (const bool before : {true, false}) {
    const std::string& literal = before ? grammar.prefix : grammar.suffix;
    if (!literal.empty()) {
      RINGLET_ASSIGN_OR_RETURN(auto text, model.grammars->Gbnf(LiteralGrammar(literal), "tools"));
      plan.parts.push_back(std::move(text));
    }
    if (!before) break;
    RINGLET_ASSIGN_OR_RETURN(auto call, model.grammars->Schema(grammar.schema, "tools"));
    plan.parts.push_back(std::move(call));
  }
  return Status::Ok();
}

// Required and named calls hold from the beginning of the content, others where the model begins
// one.
Status PlanCalls(const ServedModel& model, const ChatRequest& request, server::ToolSyntax syntax,
                 ConstraintPlan& plan) {
  using Mode = server::ToolChoice::Mode;
  const Mode mode = request.tools.choice.mode;
  if (mode == Mode::kNone) return Status::Ok();
  if (!plan.parts.empty()) {
    return Status(StatusCode::kUnsupported,
                  "response_format: found a format beside tools, expected tool_choice \"none\"");
  }
  const bool free = mode == Mode::kAuto;
  const auto grammar = server::MakeToolGrammar(syntax, request.tools, "body");
  // A model that is free to call may write what no grammar is there for.
  if (!grammar.ok()) return free ? Status::Ok() : grammar.status();
  if (free && grammar->trigger.empty()) return Status::Ok();
  const Status added = AddCallParts(model, *grammar, plan);
  if (!added.ok()) {
    plan.parts.clear();
    return free ? Status::Ok() : added;
  }
  if (free) plan.trigger = grammar->trigger;
  // Elements of a list end with the list.
  plan.repeat = grammar->repeat && grammar->gbnf.empty() && grammar->separator != ",";
  return Status::Ok();
}

}  // namespace

void ReadFormat(Fields& fields, const ServedModel& model, std::string_view key,
                const OrderedJson& format, ChatRequest& request) {
  Fields inner(format, std::string(key));
  const std::string type = inner.OneOf("type", {"text", "json_object", "json_schema"}).value_or("");
  if (type.empty() && !inner.failed())
    inner.Fail("type", "nothing", "text, json_object or json_schema");
  if (inner.failed()) return fields.Fail(key, inner.Finish());
  if (type == "json_object") request.grammar = model.grammars->AnyJsonObject();
  if (type != "json_schema") return;
  // Chat completions have the schema one level below, responses beside the type.
  const OrderedJson* nested = inner.Object("json_schema");
  const std::string path =
      nested != nullptr ? fmt::format("{}.json_schema", key) : std::string(key);
  ReadSchema(fields, model, path, nested != nullptr ? *nested : format, request);
}

void ApplyEffort(const ServedModel& model, std::string_view effort, ChatRequest& request) {
  if (request.variables.is_null()) request.variables = OrderedJson::object();
  if (effort == "none") {
    request.variables["enable_thinking"] = false;
    return;
  }
  if (model.text.template_source().find("reasoning_effort") != std::string::npos) {
    request.variables["reasoning_effort"] = effort;
    return;
  }
  for (const auto& [name, budget] : kEfforts) {
    if (name == effort && request.thinking_budget < 0) request.thinking_budget = budget;
  }
}

void ReadOutput(Fields& fields, const ServedModel& model, ChatRequest& request) {
  if (const OrderedJson* variables = fields.Object("chat_template_kwargs")) {
    request.variables = *variables;
  }
  request.thinking_budget = fields.Integer("thinking_token_budget", 0, kMaxBudget).value_or(-1);
  if (const auto effort =
          fields.OneOf("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh"})) {
    ApplyEffort(model, *effort, request);
  }
  if (const OrderedJson* format = fields.Object("response_format")) {
    ReadFormat(fields, model, "response_format", *format, request);
  }
  if (const auto text = fields.String("grammar"); text && !fields.failed()) {
    if (request.grammar != nullptr) {
      return fields.Fail("grammar", "a grammar", "none beside response_format");
    }
    auto matcher = model.grammars->Gbnf(*text, "grammar");
    if (!matcher.ok()) return fields.Fail("grammar", matcher.status());
    request.grammar = std::move(matcher).value();
  }
}

Result<std::shared_ptr<TokenConstraint>> MakeConstraint(const ServedModel& model,
                                                        const ChatRequest& request,
                                                        const server::OutputFormat& format) {
  ConstraintPlan plan;
  if (request.grammar != nullptr) plan.parts.push_back(request.grammar);
  if (request.tools.tools.is_array()) {
    RINGLET_RETURN_IF_ERROR(PlanCalls(model, request, format.tools, plan));
  }
  if (plan.parts.empty() && request.thinking_budget < 0) {
    return std::shared_ptr<TokenConstraint>();
  }
  plan.thinking_open = format.thinking_open;
  plan.think_begin = model.text.tokenizer().IdOf(format.think_begin).value_or(-1);
  plan.think_end = format.think_end;
  plan.thinking_budget = request.thinking_budget;
  return std::shared_ptr<TokenConstraint>(
      std::make_shared<GrammarConstraint>(std::move(plan), model.vocab, model.end_ids,
                                          [&model](int32_t id) { return model.AnswerBytes(id); }));
}

}  // namespace ringlet
