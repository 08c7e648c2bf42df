// The parameters that say what an answer must look like, and how much reasoning comes before it.
#pragma once

#include "server/api/chat_job.h"
#include "server/api/fields.h"
#include "server/api/served_model.h"

namespace ringlet {

// response_format (text, json_object, json_schema), grammar (GBNF), reasoning_effort,
// thinking_token_budget and chat_template_kwargs.
void ReadOutput(Fields& fields, const ServedModel& model, ChatRequest& request);

// A response_format object, whichever field it came in; `key` names it in errors.
void ReadFormat(Fields& fields, const ServedModel& model, std::string_view key,
                const OrderedJson& format, ChatRequest& request);

// "none" turns thinking off, the others limit it unless the template knows efforts itself.
void ApplyEffort(const ServedModel& model, std::string_view effort, ChatRequest& request);

// What holds the answer to request.grammar, its tools and its thinking budget; null: nothing does.
Result<std::shared_ptr<TokenConstraint>> MakeConstraint(const ServedModel& model,
                                                        const ChatRequest& request,
                                                        const server::OutputFormat& format);

}  // namespace ringlet
