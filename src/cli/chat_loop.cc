#include "cli/chat_loop.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/format.h"
#include "cli/thinking.h"
#include "model/model_stats.h"

namespace ringlet::cli {
namespace {

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin));
}

Status NeedsArgument(std::string_view command, std::string_view argument) {
  return BadInput(command, "", "nothing after it", argument);
}

void Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

ChatLoop::ChatLoop(Session session, Conversation conversation, GenerateOptions options,
                   const GlobalOptions& globals)
    : session_(std::move(session)),
      conversation_(std::move(conversation)),
      options_(std::move(options)),
      globals_(globals),
      reader_(interrupt_),
      style_(DetectTerminal(stdout)),
      seeds_(options_.sampler.seed) {}

std::span<const ChatLoop::SlashCommand> ChatLoop::SlashCommands() {
  static constexpr std::array<SlashCommand, 11> kCommands = {{
      {"/help", "", "this list", &ChatLoop::Help},
      {"/exit", "", "leave (also Ctrl-D)", &ChatLoop::Exit},
      {"/quit", "", "leave", &ChatLoop::Exit},
      {"/reset", "", "forget the conversation, keep the system message", &ChatLoop::Reset},
      {"/undo", "", "take back your last message and its answer", &ChatLoop::Undo},
      {"/regen", "", "answer your last message again", &ChatLoop::Regenerate},
      {"/system", "TEXT", "set the system message; without TEXT remove it", &ChatLoop::System},
      {"/save", "FILE", "write the conversation as JSON", &ChatLoop::Save},
      {"/load", "FILE", "read a conversation", &ChatLoop::Load},
      {"/stats", "", "speed of the last answer, memory of the conversation", &ChatLoop::Statistics},
      {"/temp", "X", "set the sampling temperature", &ChatLoop::Temperature},
  }};
  return kCommands;
}

Outcome ChatLoop::Run() {
  if (reader_.interactive()) Note("/help lists the commands; a line that ends in \\ goes on");
  bool warned = false;
  std::string line;
  while (!done_) {
    const LineReader::Event event = ReadTurn(line);
    if (event == LineReader::Event::kEnd) break;
    if (event == LineReader::Event::kInterrupt) {
      interrupt_.Take();
      if (warned || !reader_.interactive()) return Outcome::Exit(kExitInterrupted);
      Note("Ctrl-C again, or Ctrl-D, to leave");
      warned = true;
      continue;
    }
    warned = false;
    const Status status = Obey(line);
    if (status.ok()) continue;
    if (!reader_.interactive()) return status;
    fmt::print(stderr, "ringlet: error: {}\n", status.message());
  }
  if (reader_.interactive() && !done_) Print("\n");
  return {};
}

LineReader::Event ChatLoop::ReadTurn(std::string& text) {
  text.clear();
  std::string line;
  while (true) {
    const LineReader::Event event = reader_.Read(text.empty() ? "> " : ". ", line);
    if (event != LineReader::Event::kLine) return event;
    const bool more = line.ends_with('\\');
    if (more) line.pop_back();
    text += line;
    if (!more) return LineReader::Event::kLine;
    text += '\n';
  }
}

Status ChatLoop::Obey(const std::string& line) {
  if (Trimmed(line).empty()) return Status::Ok();
  if (!line.starts_with('/') || line.starts_with("//")) {
    // A doubled slash begins a message with a slash.
    conversation_.AddUser(line.starts_with('/') ? line.substr(1) : line);
    return Answer();
  }
  const size_t space = std::min(line.find_first_of(" \t\n"), line.size());
  const std::string name = line.substr(0, space);
  for (const SlashCommand& command : SlashCommands()) {
    if (command.name == name) return (this->*command.run)(Trimmed(line.substr(space)));
  }
  return BadInput(name.substr(0, 40), "", "an unknown command", "one of those that /help lists");
}

Status ChatLoop::Answer() {
  const Result<std::string> prompt = session_.text_model().Render(conversation_.Messages());
  Status status = prompt.status();
  if (prompt.ok()) {
    Result<Generation> generation = Generate(*prompt);
    status = generation.status();
    // Stopped before the answer began: as if the message had not been sent.
    const bool unanswered = generation.ok() && generation->finish == FinishReason::kCancelled &&
                            generation->tokens.empty();
    if (generation.ok() && !unanswered) {
      // Templates expect the tag that the prompt already opened.
      const std::string opened = EndsInThinking(*prompt) ? "<think>\n" : "";
      conversation_.AddAssistant(opened + generation->text);
      last_ = *std::move(generation);
      if (globals_.verbose) Note(StatisticsLine(*last_));
      return Status::Ok();
    }
  }
  conversation_.Undo();
  return status;
}

Result<Generation> ChatLoop::Generate(const std::string& prompt) {
  RINGLET_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                           session_.text_model().EncodeRendered(prompt));
  options_.sampler.seed = seeds_.Next();
  bool was_thinking = false;
  ThinkingStream stream(EndsInThinking(prompt), [&](std::string_view text, bool thinking) {
    if (thinking && !was_thinking) Print(style_.dim);
    if (!thinking && was_thinking) Print(style_.reset);
    was_thinking = thinking;
    Print(text);
  });
  Result<Generation> result = session_.Answer(ids, options_, interrupt_,
                                              [&](std::string_view text) { stream.Append(text); });
  stream.Finish();
  if (was_thinking) Print(style_.reset);
  Print("\n");
  if (interrupt_.Take() && reader_.interactive()) Note("answer stopped");
  return result;
}

void ChatLoop::Note(std::string_view text) const {
  if (globals_.quiet) return;
  fmt::print(stderr, "{}{}{}\n", style_.dim, text, style_.reset);
}

Status ChatLoop::Help(const std::string&) {
  for (const SlashCommand& command : SlashCommands()) {
    fmt::print("{:<8} {:<5} {}\n", command.name, command.argument, command.help);
  }
  std::fflush(stdout);
  return Status::Ok();
}

Status ChatLoop::Exit(const std::string&) {
  done_ = true;
  return Status::Ok();
}

Status ChatLoop::Reset(const std::string&) {
  conversation_.Reset();
  return Status::Ok();
}

Status ChatLoop::Undo(const std::string&) {
  if (conversation_.Undo()) return Status::Ok();
  return BadInput("/undo", "", "no message", "a conversation that has begun");
}

Status ChatLoop::Regenerate(const std::string&) {
  if (conversation_.Reopen()) return Answer();
  return BadInput("/regen", "", "no message", "a conversation that has begun");
}

Status ChatLoop::System(const std::string& argument) {
  conversation_.SetSystem(argument);
  return Status::Ok();
}

Status ChatLoop::Save(const std::string& argument) {
  if (argument.empty()) return NeedsArgument("/save", "a file name");
  return WriteFile(argument, conversation_.ToJson());
}

Status ChatLoop::Load(const std::string& argument) {
  if (argument.empty()) return NeedsArgument("/load", "a file name");
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(argument));
  RINGLET_ASSIGN_OR_RETURN(conversation_, Conversation::FromJson(text, argument));
  return Status::Ok();
}

Status ChatLoop::Statistics(const std::string&) {
  if (last_) fmt::print("{}\n", StatisticsLine(*last_));
  const ModelStats stats = CountParameters(session_.model().model->config());
  const int64_t bytes = stats.kv_bytes_per_token * session_.length() +
                        stats.state_bytes_per_sequence + stats.tail_bytes_per_sequence;
  fmt::print("{} tokens in the sequence, about {}\n",
             FormatCount(static_cast<uint64_t>(session_.length())),
             FormatBytes(static_cast<uint64_t>(bytes)));
  std::fflush(stdout);
  return Status::Ok();
}

Status ChatLoop::Temperature(const std::string& argument) {
  double value = 0;
  const char* end = argument.data() + argument.size();
  const auto [rest, error] = std::from_chars(argument.data(), end, value);
  if (error != std::errc() || rest != end) return NeedsArgument("/temp", "a number");
  return SetSamplerParameter(options_.sampler, "temperature", value, "/temp");
}

}  // namespace ringlet::cli
