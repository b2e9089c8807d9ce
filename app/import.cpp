// gradus import: a net from an ONNX file becomes the folder of a training that has not begun, which all other commands
// take: its graph stands in the settings, as the layers of a NET.json do, and its numbers in the checkpoint.
#include <gradus/core/simd.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph_json.h>
#include <gradus/interchange/onnx_file.h>

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <filesystem>

#include "build_model.h"
#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "resolve.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

using interchange::Graph;
using interchange::GraphValue;

/// A size of the file, or where that is open the one asked for.
std::int64_t size_or(std::int64_t found, std::optional<std::int64_t> asked, const char* axis,
                     const std::string& file) {
  if (found > 0) return found;
  if (!asked)
    fail<UsageError>(file, ": leaves the ", axis, " of images open: --image-size WIDTHxHEIGHT");
  return *asked;
}

/// What goes in, [N,C,H,W] or rows [N,F], and what comes out, [N,classes].
ImageSpec image_of_graph(const Graph& graph, const ImportOptions& options) {
  const auto refuse = [&](const char* what, std::size_t count) {
    fail<BadDataError>(options.file, ": has ", count, " ", what,
                       ", a net of images has 1; gradus run computes any");
  };
  if (graph.inputs.size() != 1) refuse("inputs", graph.inputs.size());
  if (graph.outputs.size() != 1) refuse("outputs", graph.outputs.size());
  const GraphValue& in = graph.inputs[0];
  const GraphValue& out = graph.outputs[0];
  const std::size_t rank = in.shape.size();
  if (!is_floating(in.dtype) || (rank != 2 && rank != 4) || out.shape.size() != 2) {
    fail<BadDataError>(options.file, ": takes ", in.dtype, " of ", rank, " dimensions and gives ",
                       out.shape.size(),
                       "; float32 [N,C,H,W] or [N,F], and [N,classes], are expected");
  }
  std::optional<std::int64_t> height;
  std::optional<std::int64_t> width;
  if (!options.image_size.empty()) {
    const auto size = parse_image_size(options.image_size);
    if (!size) fail<UsageError>("--image-size ", options.image_size, ": is no size");
    std::tie(height, width) = *size;
  }
  if (out.shape[1] < 1)
    fail<BadDataError>(options.file, ": does not say how many classes its output has");
  if (rank == 2) {
    return {.channels = 1,
            .height = 1,
            .width = size_or(in.shape[1], width, "width", options.file),
            .classes = out.shape[1]};
  }
  if (in.shape[1] < 1)
    fail<BadDataError>(options.file, ": does not say how many channels its images have");
  return {.channels = in.shape[1],
          .height = size_or(in.shape[2], height, "height", options.file),
          .width = size_or(in.shape[3], width, "width", options.file),
          .classes = out.shape[1]};
}

/// The text that the file has under `key`; empty: none.
std::string metadata_of(const Graph& graph, const std::string& key) {
  for (const auto& [name, value] : graph.metadata)
    if (name == key) return value;
  return {};
}

/// "0.5, 0.25": a number for each channel, or one for all.
std::vector<double> numbers_under(const char* key, const Graph& graph, std::int64_t channels,
                                  const std::string& file) {
  const std::string text = metadata_of(graph, key);
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    double number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || !std::isfinite(number)) break;
    numbers.push_back(number);
    at = stop;
    while (at != end && (*at == ',' || *at == ' ')) ++at;
  }
  const std::int64_t count = std::ssize(numbers);
  if (at == end && (count == 1 || count == channels)) return numbers;
  fail<BadDataError>(file, ": says of its pixels ", key, " \"", printable(text), "\"; ", channels,
                     " finite numbers are expected");
}

/// What becomes of pixels, where a file of ours says it; else they stay 0..1.
Normalization normalization_of(const Graph& graph, const ImageSpec& image,
                               const std::string& file) {
  Normalization found{.mean = {0}, .stddev = {1}};
  if (metadata_of(graph, "gradus").empty() || metadata_of(graph, "pixels") != pixels_of_pictures)
    return found;
  found.mean = numbers_under("mean", graph, image.channels, file);
  found.stddev = numbers_under("stddev", graph, image.channels, file);
  for (const double deviation : found.stddev) {
    if (deviation > 0) continue;
    fail<BadDataError>(file, ": says of its pixels a stddev of ", deviation,
                       ", above 0 is expected");
  }
  return found;
}

/// Without data: pixels as the file says or 0..1, and classes without names.
RunRecord record_of(const ImportOptions& options, const Settings& settings, const ImageSpec& image,
                    const Graph& graph) {
  RunRecord run{.settings = settings,
                .image = image,
                .normalization = normalization_of(graph, image, options.file),
                .data_checksum = "00000000",
                .simd = simd_in_use()};
  if (options.data.empty()) return run;
  const DataParts data = load_parts(settings.data, true);
  const ImageSpec found = image_spec(data.train);
  const bool fits =
      found.channels * found.height * found.width == image.channels * image.height * image.width &&
      found.classes == image.classes;
  if (!fits) {
    fail<UsageError>("--data ", options.data, ": has images of ",
                     Shape{found.channels, found.height, found.width}, " in ", found.classes,
                     " classes, ", options.file, " takes ",
                     Shape{image.channels, image.height, image.width}, " in ", image.classes);
  }
  run.image = found;
  run.class_names = data.train.class_names;
  run.pixels = data.pixels;
  if (metadata_of(graph, "gradus").empty()) run.normalization = data.train.normalization;
  run.train_images = data.train.size();
  run.test_images = data.test.size();
  run.data_checksum = data.checksum;
  return run;
}

}  // namespace

int run_import(const ImportOptions& options) {
  const Graph graph = interchange::read_onnx(options.file);
  const ImageSpec image = image_of_graph(graph, options);
  TrainOptions usual;
  usual.data = options.data;
  usual.data_dir = options.data_dir;
  Settings settings = resolve(usual);
  if (options.data.empty()) settings.data = {.name = "none"};
  settings.model = std::filesystem::path(options.file).filename().string();
  RunRecord run = record_of(options, settings, image, graph);
  Sequential model = imported_model(graph, run);
  run.parameters = model.parameter_count();
  RunFolder folder(options.out,
                   options.overwrite ? RunFolder::Purpose::overwrite : RunFolder::Purpose::fresh);
  folder.keep(model, {}, run, false);
  fmt::print("{}: {} from {}, {} nodes, {} parameters, images {} in {} classes\n", options.out,
             graph.name.empty() ? "a net" : printable(graph.name), options.file, graph.nodes.size(),
             run.parameters,
             to_string(Shape{run.image.channels, run.image.height, run.image.width}),
             run.image.classes);
  const Normalization& pixels = run.normalization;
  fmt::print(
      "pixels: 0..1, then mean {:.4g} and deviation {:.4g}{}\n", fmt::join(pixels.mean, " "),
      fmt::join(pixels.stddev, " "),
      metadata_of(graph, "gradus").empty() && options.data.empty()
          ? ", as the file does not say what its net expects; --data takes those of a data set"
          : "");
  return exit_ok;
}

}  // namespace gradus::app
