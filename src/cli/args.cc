#include "cli/args.h"

#include <cstdint>
#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/version.h"

namespace ringlet::cli {
namespace {

constexpr int64_t kMaxThreads = 1024;

// Help without the noise: what excludes what is said by the error when it matters.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string value = option->get_type_size() == 0 ? "" : option->get_type_name();
    return value.empty() ? "" : " " + value;
  }
};

void AddGlobals(CLI::App& app, GlobalOptions& globals) {
  app.add_option("--threads", globals.threads, "Compute threads (default: every usable core)")
      ->type_name("N")
      ->group("Global options");
  app.add_option(
         "--cache", globals.cache,
         "Where packed weights of large models are kept: a directory, or off [beside MODEL]")
      ->type_name("DIR")
      ->group("Global options");
  CLI::Option* quiet = app.add_flag("--quiet", globals.quiet, "Only results and errors");
  CLI::Option* verbose = app.add_flag("--verbose", globals.verbose, "Notes and statistics");
  quiet->group("Global options");
  verbose->group("Global options")->excludes(quiet);
}

void PrintError(std::string_view message, std::string_view hint) {
  fmt::print(stderr, "ringlet: error: {}\n", message);
  if (!hint.empty()) fmt::print(stderr, "ringlet: hint: {}\n", hint);
}

// The program and the subcommands on the command line, for "ringlet run --help".
std::string ProgramWithCommand(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  return chosen.empty() ? app.get_name()
                        : app.get_name() + " " + ProgramWithCommand(*chosen.front());
}

// Declares `command` and those below it; whichever is named becomes `chosen`.
void AddCommand(CLI::App& parent, Command& command, Command*& chosen, GlobalOptions& globals) {
  CLI::App* sub =
      parent.add_subcommand(std::string(command.name()), std::string(command.summary()));
  sub->set_help_flag("-h,--help", "Print this help");
  sub->footer(std::string(command.footer()));
  if (command.subcommands().empty()) {
    Args args(*sub);
    command.Declare(args);
    sub->callback([&chosen, &command] { chosen = &command; });
  } else {
    sub->require_subcommand(1);
    for (const auto& below : command.subcommands()) AddCommand(*sub, *below, chosen, globals);
  }
  // Accepted before and after the command's name.
  AddGlobals(*sub, globals);
}

int Finish(const Outcome& outcome, const std::string& program) {
  if (outcome.exit_code() == kExitUsage) {
    PrintError(outcome.error(), outcome.hint().empty()
                                    ? fmt::format("'{} --help' lists the options", program)
                                    : outcome.hint());
  } else if (!outcome.error().empty()) {
    PrintError(outcome.error(), outcome.hint());
  }
  // A full disk shows only when the buffer is written.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    PrintError("cannot write the output: disk full or closed", "");
    return kExitFailed;
  }
  return outcome.exit_code();
}

}  // namespace

void Args::Positional(const std::string& name, std::string& value, const std::string& help) {
  app_.add_option(name, value, help)->required()->type_name("");
}

void Args::Positionals(const std::string& name, std::vector<std::string>& values,
                       const std::string& help) {
  app_.add_option(name, values, help)->required()->type_name("");
}

void Args::OptionalPositional(const std::string& name, std::string& value,
                              const std::string& help) {
  app_.add_option(name, value, help)->type_name("");
}

template <typename T>
void Args::Option(const std::string& flags, T& value, const std::string& value_name,
                  const std::string& help) {
  CLI::Option* option = app_.add_option(flags, value, help)->type_name(value_name)->group(group_);
  if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    // One value per flag: a list would swallow the positional arguments.
    option->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
  }
}

template void Args::Option(const std::string&, std::string&, const std::string&,
                           const std::string&);
template void Args::Option(const std::string&, int64_t&, const std::string&, const std::string&);
template void Args::Option(const std::string&, uint64_t&, const std::string&, const std::string&);
template void Args::Option(const std::string&, double&, const std::string&, const std::string&);
template void Args::Option(const std::string&, std::optional<std::string>&, const std::string&,
                           const std::string&);
template void Args::Option(const std::string&, std::optional<int64_t>&, const std::string&,
                           const std::string&);
template void Args::Option(const std::string&, std::optional<uint64_t>&, const std::string&,
                           const std::string&);
template void Args::Option(const std::string&, std::optional<double>&, const std::string&,
                           const std::string&);
template void Args::Option(const std::string&, std::vector<std::string>&, const std::string&,
                           const std::string&);

void Args::Flag(const std::string& flags, bool& value, const std::string& help) {
  app_.add_flag(flags, value, help)->group(group_);
}

void Args::Exclusive(const std::vector<std::string>& options) {
  for (size_t i = 0; i < options.size(); ++i) {
    for (size_t j = 0; j < i; ++j) app_.get_option(options[i])->excludes(options[j]);
  }
}

int ParseAndRun(int argc, const char* const* argv,
                const std::vector<std::unique_ptr<Command>>& commands, GlobalOptions& globals) {
  CLI::App app("Runs hybrid linear-attention language models.", "ringlet");
  app.set_version_flag("--version", fmt::format("ringlet {}", kVersion), "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  app.require_subcommand(1);
  const auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(34);
  app.formatter(formatter);  // subcommands inherit it
  AddGlobals(app, globals);

  Command* chosen = nullptr;
  for (const auto& command : commands) AddCommand(app, *command, chosen, globals);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    app.exit(request);
    return Finish(Outcome(), "ringlet");
  } catch (const CLI::ParseError& error) {
    return Finish(Outcome::Usage(error.what()), ProgramWithCommand(app));
  }
  const std::string program = ProgramWithCommand(app);
  if (globals.threads < 0 || globals.threads > kMaxThreads) {
    return Finish(
        Outcome::Usage(fmt::format("--threads: found {}, expected 0 (every usable core) to {}",
                                   globals.threads, kMaxThreads)),
        program);
  }
  return Finish(chosen->Run(globals), program);
}

}  // namespace ringlet::cli
