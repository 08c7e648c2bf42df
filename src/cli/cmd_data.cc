// ringlet data: text for training.
#include <vector>

#include "cli/args.h"
#include "cli/command.h"

namespace ringlet::cli {
namespace {

class DataCommand : public Command {
 public:
  DataCommand() {
    below_.push_back(MakeDataTokenizerCommand());
    below_.push_back(MakeDataShardsCommand());
    below_.push_back(MakeDataInfoCommand());
  }
  std::string_view name() const override { return "data"; }
  std::string_view summary() const override { return "Prepare text for training"; }
  std::string_view footer() const override {
    return "Example:\n  ringlet data tokenizer --vocab 8192 --out tokenizer TEXT...\n"
           "  ringlet data shards --tokenizer tokenizer --out data TEXT...\n"
           "  ringlet data info data";
  }
  void Declare(Args&) override {}
  Outcome Run(const GlobalOptions&) override { return Outcome::Usage("a subcommand is required"); }
  std::span<const std::unique_ptr<Command>> subcommands() const override { return below_; }

 private:
  std::vector<std::unique_ptr<Command>> below_;
};

}  // namespace

std::unique_ptr<Command> MakeDataCommand() { return std::make_unique<DataCommand>(); }

}  // namespace ringlet::cli
