// gradus export: what others want of a net, without what only going on with its training needs: the weights in a
// .safetensors file, or the whole net in a .onnx file.
#include <gradus/core/words.h>
#include <gradus/interchange/from_module.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/io/safetensors.h>

#include <spdlog/fmt/fmt.h>

#include <map>
#include <string>
#include <vector>

#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "net_subject.h"
#include "output_file.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

std::string in_a_row(const std::vector<double>& numbers) {
  std::vector<std::string> texts;
  for (const double number : numbers) texts.push_back(fmt::format("{}", number));  // to the bit
  return joined(texts);
}

/// What a file of weights says of its model, and what becomes of a pixel before the net sees it. What the file of an imported
/// net said beside stays.
void note_training(interchange::Graph& graph, const RunRecord& run) {
  std::map<std::string, std::string> notes = metadata_of_model(run, run.chosen().epoch);
  notes.erase("format");
  notes["pixels"] = run.pixels.unit ? pixels_of_pictures : pixels_of_numbers;
  notes["white"] = fmt::format("{}", run.pixels.white);
  notes["mean"] = in_a_row(run.normalization.mean);
  notes["stddev"] = in_a_row(run.normalization.stddev);
  std::erase_if(graph.metadata, [&](const auto& note) { return notes.contains(note.first); });
  graph.metadata.insert(graph.metadata.end(), notes.begin(), notes.end());
}

/// An imported net leaves as it came, without what stands around it here, with the weights that it has now.
Module& exported_part(Sequential& model) {
  for (const auto& [path, module] : model.named_modules()) {
    if (dynamic_cast<interchange::GraphNet*>(module) != nullptr) return *module;
  }
  return model;
}

void export_onnx(const ExportOptions& options) {
  NetSubject subject = net_subject(options);
  if (subject.run) expect_usable(*subject.run, options.what);
  const ImageSpec& image = subject.image;
  interchange::Graph graph;
  try {
    graph = interchange::graph_of(exported_part(subject.model),
                                  {image.channels, image.height, image.width},
                                  {.name = subject.run ? subject.run->settings.model : options.what,
                                   .fold_batch_norm = options.fold});
  } catch (const ValueError& wrong) {
    fail<UsageError>(options.what, ": ", wrong.what());
  }
  if (subject.run) note_training(graph, *subject.run);
  interchange::write_onnx(graph, options.file);
  fmt::print("{}: {} for [N,{},{},{}], {} nodes, {} parameters\n", options.file,
             printable(graph.name), image.channels, image.height, image.width, graph.nodes.size(),
             subject.model.parameter_count());
}

void export_weights(const ExportOptions& options) {
  if (options.fold || options.channels || options.height || options.width || options.classes) {
    fail<UsageError>("FILE ", options.file,
                     ": --fold and the sizes of images are for a .onnx file");
  }
  const LoadedRun run = load_trained(options.what);
  expect_usable(run.record, options.what);
  save_safetensors(options.file, run.model.state_dict(),
                   metadata_of_model(run.record, run.record.chosen().epoch));
  fmt::print("{}: {} on {}, epoch {}, {} parameters\n", options.file, run.record.settings.model,
             short_name(run.record.settings.data), run.record.chosen().epoch,
             run.record.parameters);
}

}  // namespace

int run_export(const ExportOptions& options) {
  expect_writable("FILE", options.file, {{options.what, "the net"}});
  const bool is_onnx = options.file.ends_with(".onnx");
  if (!is_onnx && !options.file.ends_with(".safetensors")) {
    fail<UsageError>("FILE ", options.file,
                     ": its name tells what is written, .onnx a net, .safetensors its weights");
  }
  if (is_onnx) {
    export_onnx(options);
  } else {
    export_weights(options);
  }
  return exit_ok;
}

}  // namespace gradus::app
