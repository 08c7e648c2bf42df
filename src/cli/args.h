// Declaring and parsing a command line. Hides CLI11, whose header takes seconds to compile, behind
// one source file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace CLI {
class App;
}

namespace ringlet::cli {

// What one command accepts. Every reference must outlive parsing.
class Args {
 public:
  explicit Args(CLI::App& app) : app_(app) {}

  void Positional(const std::string& name, std::string& value, const std::string& help);
  // One or more.
  void Positionals(const std::string& name, std::vector<std::string>& values,
                   const std::string& help);
  void OptionalPositional(const std::string& name, std::string& value, const std::string& help);
  // An option with a value. `flags` is "-n,--count"; T is std::string, int64_t, uint64_t, double or
  // an optional of these (set when given), or a vector of strings (may be repeated). `value_name`
  // stands for the value in the help.
  template <typename T>
  void Option(const std::string& flags, T& value, const std::string& value_name,
              const std::string& help);
  void Flag(const std::string& flags, bool& value, const std::string& help);
  // At most one of these options may be given; each is named by one of its flags.
  void Exclusive(const std::vector<std::string>& options);
  // Options declared from here on are listed under this heading.
  void Group(const std::string& title) { group_ = title; }

 private:
  CLI::App& app_;
  std::string group_ = "Options";
};

// Parses argv and runs the chosen command. Prints help and errors; returns the exit code.
int ParseAndRun(int argc, const char* const* argv,
                const std::vector<std::unique_ptr<Command>>& commands, GlobalOptions& globals);

}  // namespace ringlet::cli
