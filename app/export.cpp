// gradus export: the weights of a training, without what only going on with it needs.
#include <gradus/io/safetensors.h>

#include <spdlog/fmt/fmt.h>

#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "output_file.h"
#include "run_folder.h"

namespace gradus::app {

int run_export(const ExportOptions& options) {
  const LoadedRun run = load_trained(options.folder);
  if (is_checkpoint(options.file))
    fail<UsageError>("FILE ", options.file,
                     ": is the checkpoint of a training, which needs more than weights");
  expect_writable("FILE", options.file);
  save_safetensors(options.file, run.model.state_dict(),
                   metadata_of_model(run.record, run.record.chosen().epoch));
  fmt::print("{}: {} on {}, epoch {}, {} parameters\n", options.file, run.record.settings.model,
             short_name(run.record.settings.data), run.record.chosen().epoch,
             run.record.parameters);
  return exit_ok;
}

}  // namespace gradus::app
