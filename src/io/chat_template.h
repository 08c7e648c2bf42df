// Chat templates: the Jinja subset that published Hugging Face templates use, sandboxed.
//
// The environment is transformers': trim_blocks, lstrip_blocks, break and continue, {% generation
// %} (passed through), raise_exception, strftime_now, and a tojson that escapes nothing for HTML.
// Values behave as Python's. There is no import, include or extends, no attribute that begins with
// "_", and no way to reach the machine; what a rendering may consume is bounded by TemplateLimits.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "io/jinja/limits.h"

namespace ringlet {

namespace jinja {
struct Template;
}

// What a template sees. `tools` null means none were given; an empty bos_token or eos_token is left
// undefined, as transformers leaves a missing one.
struct ChatInput {
  OrderedJson messages = OrderedJson::array();
  OrderedJson tools;
  bool add_generation_prompt = true;
  std::string bos_token;
  std::string eos_token;
  OrderedJson extra;           // an object of further variables (enable_thinking, ...), or null
  std::optional<std::tm> now;  // local time for strftime_now; the system's clock when absent
};

class ChatTemplate {
 public:
  // Errors name `source_name` and a line: kInvalidInput for bad syntax and unknown tags, filters
  // and tests, kResource for a source beyond the limits.
  static Result<std::shared_ptr<const ChatTemplate>> Parse(std::string_view source_text,
                                                           const std::string& source_name,
                                                           const TemplateLimits& limits = {});
  ~ChatTemplate();
  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;

  // Pure but for the clock, and safe to call from many threads. Errors: kInvalidInput for what the
  // template or raise_exception rejects, kResource when a limit is exceeded (named in the message).
  Result<std::string> Render(const ChatInput& input) const;

 private:
  ChatTemplate(std::string source_name, const TemplateLimits& limits,
               std::unique_ptr<const jinja::Template> parsed);

  const std::string source_name_;
  const TemplateLimits limits_;
  const std::unique_ptr<const jinja::Template> parsed_;
};

}  // namespace ringlet
