// A subcommand of the program: declares its arguments, then runs. One file per command.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cli/outcome.h"

namespace ringlet::cli {

class Args;

// Options every command has.
struct GlobalOptions {
  int64_t threads = 0;  // 0: every usable core
  bool quiet = false;   // no progress, no notes
  bool verbose = false;
  std::string cache;      // --cache: a directory, "off", or empty: beside the model
  std::string force_isa;  // RINGLET_FORCE_ISA; empty: the processor's best
};

class Command {
 public:
  virtual ~Command() = default;
  virtual std::string_view name() const = 0;
  // One line for the list of commands.
  virtual std::string_view summary() const = 0;
  // Printed after the options in --help: examples.
  virtual std::string_view footer() const = 0;
  virtual void Declare(Args& args) = 0;
  virtual Outcome Run(const GlobalOptions& globals) = 0;
  // Commands below this one. With any, one must be named, and this one never runs.
  virtual std::span<const std::unique_ptr<Command>> subcommands() const { return {}; }
};

std::unique_ptr<Command> MakeRunCommand();
std::unique_ptr<Command> MakeChatCommand();
std::unique_ptr<Command> MakeServeCommand();
std::unique_ptr<Command> MakeLogprobsCommand();
std::unique_ptr<Command> MakeTokenizeCommand();
std::unique_ptr<Command> MakeInspectCommand();
std::unique_ptr<Command> MakeNewCommand();
std::unique_ptr<Command> MakeQuantizeCommand();
std::unique_ptr<Command> MakeDataCommand();
std::unique_ptr<Command> MakeDataTokenizerCommand();
std::unique_ptr<Command> MakeDataShardsCommand();
std::unique_ptr<Command> MakeDataInfoCommand();
std::unique_ptr<Command> MakeTrainCommand();
std::unique_ptr<Command> MakeBenchCommand();
std::unique_ptr<Command> MakeBenchServeCommand();
std::unique_ptr<Command> MakeInfoCommand();

}  // namespace ringlet::cli
