// gradus import: a net from an ONNX file becomes the folder of a training that has not begun, which all other commands
// take: its graph stands in the settings, as the layers of a NET.json do, and its numbers in the checkpoint.
#include <gradus/core/math.h>
#include <gradus/core/simd.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph_json.h>
#include <gradus/interchange/onnx_file.h>

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "build_model.h"
#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "json.h"
#include "resolve.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

using interchange::Graph;
using interchange::GraphValue;

/// A size of the file, or where that is open the one asked for.
std::int64_t size_or(std::int64_t found, std::optional<std::int64_t> asked, const char* axis,
                     const ImportOptions& options) {
  if (found > 0 && asked && *asked != found) {
    fail<UsageError>("--image-size ", options.image_size, ": ", options.file, " takes images of ",
                     axis, " ", found);
  }
  if (found > 0) return found;
  if (!asked) {
    fail<UsageError>(options.file, ": leaves the ", axis,
                     " of images open: --image-size WIDTHxHEIGHT");
  }
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
  if (in.dtype != float32 || (rank != 2 && rank != 4) || out.shape.size() != 2) {
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
    // Rows have the pixels one behind the other, whatever the sizes of their image are.
    const auto pixels = width ? std::optional(*height * *width) : std::nullopt;
    const std::int64_t found = size_or(in.shape[1], pixels, "pixels", options);
    return {.channels = 1,
            .height = height.value_or(1),
            .width = width.value_or(found),
            .classes = out.shape[1]};
  }
  if (in.shape[1] < 1)
    fail<BadDataError>(options.file, ": does not say how many channels its images have");
  return {.channels = in.shape[1],
          .height = size_or(in.shape[2], height, "height", options),
          .width = size_or(in.shape[3], width, "width", options),
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

/// What a file of ours says of the training that its net had.
struct Told {
  std::optional<Pixels> pixels;  ///< nothing: the file does not say what its net expects
  Normalization normalization{.mean = {0}, .stddev = {1}};
  std::vector<std::string> class_names;  ///< empty: none
};

std::vector<std::string> names_told(const Graph& graph, const ImageSpec& image,
                                    const std::string& file) {
  const std::string text = metadata_of(graph, "class_names");
  if (text.empty()) return {};
  std::vector<std::string> names = names_from_json(text, file);
  if (std::ssize(names) != image.classes) {
    fail<BadDataError>(file, ": names ", names.size(), " classes, its output has ", image.classes);
  }
  bool numbers = true;  // what classes without names are called
  for (std::size_t k = 0; k < names.size(); ++k) numbers = numbers && names[k] == std::to_string(k);
  if (numbers) names.clear();
  return names;
}

Told told_by(const Graph& graph, const ImageSpec& image, const std::string& file) {
  if (metadata_of(graph, "gradus").empty()) return {};
  Told told{.pixels = {}, .class_names = names_told(graph, image, file)};
  const std::string formula = metadata_of(graph, "pixels");
  if (formula.empty()) return told;
  if (formula != pixels_of_pictures && formula != pixels_of_numbers) {
    fail<BadDataError>(file, ": says that its net takes ", in_quotes(formula), ", known are ",
                       pixels_of_pictures, " and ", pixels_of_numbers);
  }
  const bool unit = formula == pixels_of_pictures;
  const bool white_is_one = !unit || metadata_of(graph, "white") == "1";
  told.pixels = Pixels{.white = white_is_one ? 1.0 : 255.0, .unit = unit};
  told.normalization = {.mean = numbers_under("mean", graph, image.channels, file),
                        .stddev = numbers_under("stddev", graph, image.channels, file)};
  for (const double deviation : told.normalization.stddev) {
    if (deviation > 0) continue;
    fail<BadDataError>(file, ": says of its pixels a stddev of ", deviation,
                       ", above 0 is expected");
  }
  return told;
}

/// The classes of data are the net's, in the order of its outputs where it names them.
void expect_known_classes(const Told& told, const Dataset& data, const ImportOptions& options) {
  for (std::int64_t k = 0; !told.class_names.empty() && k < data.classes; ++k) {
    const std::string name = data.class_name(k);
    if (std::find(told.class_names.begin(), told.class_names.end(), name) != told.class_names.end())
      continue;
    fail<UsageError>("--data ", options.data, ": has a class ", in_quotes(name), ", ", options.file,
                     " knows ", joined(told.class_names));
  }
}

/// Without data: pixels as the file says or 0..1, and classes as it names them.
RunRecord record_of(const ImportOptions& options, const Settings& settings, const ImageSpec& image,
                    const Graph& graph) {
  const Told told = told_by(graph, image, options.file);
  RunRecord run{.settings = settings,
                .image = image,
                .class_names = told.class_names,
                .pixels = told.pixels.value_or(Pixels{}),
                .normalization = told.normalization,
                .data_checksum = "00000000",
                .simd = simd_in_use(),
                .blas = core::blas_description()};
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
  expect_known_classes(told, data.train, options);
  if (run.pixels.unit && told.pixels && !data.pixels.unit) {
    fail<UsageError>("--data ", options.data, ": has numbers beyond 0 to 255, ", options.file,
                     " takes pixels");
  }
  run.image = found;
  if (told.class_names.empty()) run.class_names = data.train.class_names;
  if (run.pixels.unit) run.pixels = data.pixels;  // how these come to be 0..1
  if (!told.pixels) run.normalization = data.train.normalization;
  run.train_images = data.train.size();
  run.test_images = data.test.size();
  run.data_checksum = data.checksum;
  return run;
}

}  // namespace

int run_import(const ImportOptions& options) {
  std::vector<std::string> of_net = {options.file};
  const Graph graph = interchange::read_onnx(options.file, &of_net);
  for (const std::string& file : of_net) {
    if (would_replace(options.out, file))
      fail<UsageError>("--out ", options.out, ": ", file, ", which is imported, would be replaced");
  }
  const ImageSpec image = image_of_graph(graph, options);
  TrainOptions usual;
  usual.data = options.data;
  usual.data_dir = options.data_dir;
  Settings settings = resolve(usual);
  if (options.data.empty()) settings.data = {.name = no_data};
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
      "pixels: {}, then mean {:.4g} and deviation {:.4g}{}\n",
      run.pixels.unit ? "0..1" : "plain numbers", fmt::join(pixels.mean, " "),
      fmt::join(pixels.stddev, " "),
      metadata_of(graph, "pixels").empty() && options.data.empty()
          ? ", as the file does not say what its net expects; --data takes those of a data set"
          : "");
  return exit_ok;
}

}  // namespace gradus::app
