#include "server/api/tokens.h"

#include "io/utf8.h"
#include "server/api/answers.h"
#include "server/api/fields.h"
#include "server/api/prompts.h"
#include "server/api/stream_events.h"

namespace ringlet {

void AnswerTokenize(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                    const OrderedJson& body) {
  Fields fields(body);
  auto text = fields.String("content");
  if (const auto prompt = fields.String("prompt"); !text) text = prompt;
  if (!text) fields.Fail("content", "nothing", "a text");
  const bool also_special = fields.Bool("add_special_tokens").value_or(false);
  const bool add_special = fields.Bool("add_special").value_or(also_special);
  const bool parse_special = fields.Bool("parse_special").value_or(true);
  const bool with_pieces = fields.Bool("with_pieces").value_or(false);
  fields.Ignore({"model"});
  if (Refused(fields, *exchange)) return;
  const SpecialTokens mode = parse_special ? SpecialTokens::kParse : SpecialTokens::kText;
  const auto ids =
      add_special ? model.text.Encode(*text, mode) : model.text.tokenizer().Encode(*text, mode);
  if (!ids.ok()) return exchange->Respond(ErrorResponse(ids.status(), "content"));
  OrderedJson tokens = OrderedJson::array();
  for (const int32_t id : *ids) {
    if (with_pieces) {
      tokens.push_back({{"id", id}, {"piece", model.TokenText(id)}});
    } else {
      tokens.push_back(id);
    }
  }
  RespondJson(
      *exchange,
      {{"tokens", std::move(tokens)}, {"count", ids->size()}, {"max_model_len", model.context}});
}

void AnswerDetokenize(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body) {
  Fields fields(body);
  std::vector<int32_t> ids;
  if (const OrderedJson* tokens = fields.Array("tokens")) {
    ids = ReadTokenIds(fields, model, "tokens", *tokens);
  } else {
    fields.Fail("tokens", "nothing", "an array of token ids");
  }
  fields.Ignore({"model"});
  if (Refused(fields, *exchange)) return;
  const std::string text = ReplaceInvalidUtf8(model.text.tokenizer().Decode(ids, false));
  RespondJson(*exchange, {{"content", text}, {"prompt", text}});
}

OrderedJson TokenizerInfoJson(const ServedModel& model) {
  OrderedJson info = {{"eos_token", nullptr}, {"chat_template", nullptr}};
  if (!model.end_ids.empty()) info["eos_token"] = model.TokenText(model.end_ids[0]);
  if (model.text.has_template()) info["chat_template"] = model.text.template_source();
  return info;
}

}  // namespace ringlet
