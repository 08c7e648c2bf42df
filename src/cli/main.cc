// The program: reads the environment, then hands the command line to the commands.
#include <cstdlib>
#include <memory>
#include <vector>

#include "cli/args.h"
#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace ringlet::cli;
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(MakeRunCommand());
  commands.push_back(MakeChatCommand());
  commands.push_back(MakeServeCommand());
  commands.push_back(MakeLogprobsCommand());
  commands.push_back(MakeTokenizeCommand());
  commands.push_back(MakeInspectCommand());
  commands.push_back(MakeNewCommand());
  commands.push_back(MakeQuantizeCommand());
  commands.push_back(MakeDataCommand());
  commands.push_back(MakeTrainCommand());
  commands.push_back(MakeBenchCommand());
  commands.push_back(MakeBenchServeCommand());
  commands.push_back(MakeInfoCommand());
  GlobalOptions globals;
  if (const char* isa = std::getenv("RINGLET_FORCE_ISA"); isa != nullptr) globals.force_isa = isa;
  return ParseAndRun(argc, argv, commands, globals);
}
