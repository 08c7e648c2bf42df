// The terminal chat: reads lines, answers them, obeys /commands.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "base/status.h"
#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/interrupt.h"
#include "cli/line_reader.h"
#include "cli/outcome.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace ringlet::cli {

// On a terminal errors are shown and the chat goes on; reading from a pipe, the first error ends it
// with exit code 1, so that scripts notice.
class ChatLoop {
 public:
  ChatLoop(Session session, Conversation conversation, GenerateOptions options,
           const GlobalOptions& globals);

  Outcome Run();

 private:
  struct SlashCommand {
    std::string_view name;
    std::string_view argument;
    std::string_view help;
    Status (ChatLoop::*run)(const std::string& argument);
  };
  static std::span<const SlashCommand> SlashCommands();

  // A line, or several joined where one ends in a backslash.
  LineReader::Event ReadTurn(std::string& text);
  Status Obey(const std::string& line);
  // Answers the conversation as it stands; on failure the last user message is taken back.
  Status Answer();
  Result<Generation> Generate(const std::string& prompt);
  void Note(std::string_view text) const;

  Status Help(const std::string& argument);
  Status Exit(const std::string& argument);
  Status Reset(const std::string& argument);
  Status Undo(const std::string& argument);
  Status Regenerate(const std::string& argument);
  Status System(const std::string& argument);
  Status Save(const std::string& argument);
  Status Load(const std::string& argument);
  Status Statistics(const std::string& argument);
  Status Temperature(const std::string& argument);

  Session session_;
  Conversation conversation_;
  GenerateOptions options_;
  GlobalOptions globals_;
  InterruptGuard interrupt_;
  LineReader reader_;
  Style style_;
  Rng seeds_;  // one seed per answer, so that /regen gives another one
  std::optional<Generation> last_;
  bool done_ = false;
};

}  // namespace ringlet::cli
