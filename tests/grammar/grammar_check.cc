// Answers, for each line {"schema": ..., "instance_text": "..."} of the standard input, one line:
// "accepted", "refused", or "unsupported MESSAGE" when the schema does not compile.
#include <cstdio>
#include <iostream>
#include <string>

#include "io/grammar/matcher.h"

namespace {

std::string Answer(const std::string& line) {
  const auto request = ringlet::ParseOrderedJson(line, "line");
  if (!request.ok()) return "unsupported " + request.status().message();
  const auto grammar = ringlet::Grammar::FromJsonSchema(request->at("schema"), "schema");
  if (!grammar.ok()) return "unsupported " + grammar.status().message();
  ringlet::GrammarMatcher matcher(*grammar, ringlet::VocabularyTrie::Build({}));
  const bool accepted =
      matcher.AcceptBytes(request->at("instance_text").get<std::string>()) && matcher.CanEnd();
  return accepted ? "accepted" : "refused";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::puts(Answer(line).c_str());
  return 0;
}
