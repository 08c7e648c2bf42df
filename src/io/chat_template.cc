#include "io/chat_template.h"

#include <new>

#include "io/jinja/error.h"
#include "io/jinja/interpreter.h"
#include "io/jinja/parser.h"
#include "io/utf8.h"

namespace ringlet {
namespace {

constexpr std::string_view kReserved[] = {"messages", "tools", "add_generation_prompt", "bos_token",
                                          "eos_token"};

Status ToStatus(const std::string& source_name, const jinja::TemplateError& error) {
  return Status(error.code, error.line == 0
                                ? fmt::format("{}: {}", source_name, error.message)
                                : fmt::format("{}:{}: {}", source_name, error.line, error.message));
}

Status OutOfMemory(const std::string& source_name) {
  return Status(StatusCode::kResource, fmt::format("{}: out of memory", source_name));
}

Status CheckExtra(const OrderedJson& extra) {
  if (extra.is_null()) return Status::Ok();
  if (!extra.is_object()) {
    return BadInput("chat template variables", "", "a value that is not an object",
                    "an object of names and values");
  }
  for (const std::string_view name : kReserved) {
    if (extra.contains(std::string(name))) {
      return BadInput("chat template variables", name, "a reserved name",
                      "names other than messages, tools, add_generation_prompt, bos_token and "
                      "eos_token");
    }
  }
  return Status::Ok();
}

void DefineInput(jinja::Interpreter& interpreter, jinja::Runtime& runtime, const ChatInput& input) {
  const auto define = [&](std::string_view name, const OrderedJson& json) {
    if (interpreter.Mentions(name)) interpreter.Define(name, runtime.FromJson(json));
  };
  define("messages", input.messages);
  define("tools", input.tools);
  define("documents", OrderedJson());
  define("add_generation_prompt", OrderedJson(input.add_generation_prompt));
  if (!input.bos_token.empty())
    interpreter.Define("bos_token", runtime.InputString(input.bos_token));
  if (!input.eos_token.empty())
    interpreter.Define("eos_token", runtime.InputString(input.eos_token));
  if (!input.extra.is_object()) return;
  for (const auto& [name, value] : input.extra.items()) define(name, value);
}

}  // namespace

ChatTemplate::ChatTemplate(std::string source_name, const TemplateLimits& limits,
                           std::unique_ptr<const jinja::Template> parsed)
    : source_name_(std::move(source_name)), limits_(limits), parsed_(std::move(parsed)) {}

ChatTemplate::~ChatTemplate() = default;

Result<std::shared_ptr<const ChatTemplate>> ChatTemplate::Parse(std::string_view source_text,
                                                                const std::string& source_name,
                                                                const TemplateLimits& limits) {
  if (source_text.size() > limits.max_source_bytes) {
    return Status(StatusCode::kResource,
                  fmt::format("{}: found a template of {} bytes, expected at most {}", source_name,
                              source_text.size(), limits.max_source_bytes));
  }
  const size_t valid = ValidUtf8Prefix(source_text);
  if (valid != source_text.size()) {
    return BadInput(source_name, "", fmt::format("a byte that is not UTF-8 at offset {}", valid),
                    "UTF-8 text");
  }
  try {
    return std::shared_ptr<const ChatTemplate>(
        new ChatTemplate(source_name, limits, jinja::ParseTemplate(source_text, limits)));
  } catch (const jinja::TemplateError& error) {
    return ToStatus(source_name, error);
  } catch (const std::bad_alloc&) {
    return OutOfMemory(source_name);
  }
}

Result<std::string> ChatTemplate::Render(const ChatInput& input) const {
  RINGLET_RETURN_IF_ERROR(CheckExtra(input.extra));
  try {
    jinja::Runtime runtime(limits_, input.now);
    jinja::Interpreter interpreter(*parsed_, runtime);
    DefineInput(interpreter, runtime, input);
    return interpreter.Run();
  } catch (const jinja::TemplateError& error) {
    return ToStatus(source_name_, error);
  } catch (const std::bad_alloc&) {
    return OutOfMemory(source_name_);
  }
}

}  // namespace ringlet
