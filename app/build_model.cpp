// A net of layers is built anew from its text, which the checkpoint holds; its file is not needed again.
#include "build_model.h"

#include <gradus/core/create.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph_json.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/io/input_file.h>
#include <gradus/layers/net_json.h>
#include <gradus/layers/shape.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "data_parts.h"
#include "exit_code.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

/// "8.weight" -> "8": the layer of a parameter.
std::string layer_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

/// Where in `state`, which is in the order of the layers, those begin that know the classes: the last layer with
/// a matrix or kernels that gives so many numbers as there are classes, and what is behind it, like a norm of
/// its outputs. Where no layer gives so many, the last one with parameters.
std::size_t begin_of_head(const NamedTensors& state, std::int64_t classes) {
  std::size_t head = state.size() - 1;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Shape& shape = state[i].second.shape();
    if ((shape.rank() == 2 || shape.rank() == 4) && shape[0] == classes) head = i;
  }
  const std::string layer = layer_of(state[head].first);
  while (head > 0 && layer_of(state[head - 1].first) == layer) --head;
  return head;
}

/// Images as the graph takes them, in rows where it wants these. Throws BadDataError for images and classes that are
/// not those of the graph.
Sequential net_of_graph(interchange::Graph graph, const ImageSpec& image, const std::string& file) {
  const auto& in = graph.inputs.at(0).shape;
  const auto& out = graph.outputs.at(0).shape;
  const bool rows = in.size() == 2;
  const std::int64_t pixels = image.channels * image.height * image.width;
  const Shape wanted = rows ? Shape{pixels} : Shape{image.channels, image.height, image.width};
  bool fits = in.size() == static_cast<std::size_t>(wanted.rank()) + 1;
  for (int d = 0; fits && d < wanted.rank(); ++d) {
    const std::int64_t size = in[static_cast<std::size_t>(d) + 1];
    fits = size < 0 || size == wanted[d];
  }
  if (!fits) fail<BadDataError>(file, ": does not take images of ", wanted);
  if (out.size() != 2 || (out[1] >= 0 && out[1] != image.classes)) {
    fail<BadDataError>(file, ": gives ", out.empty() ? 0 : out.back(), " classes, the images have ",
                       image.classes);
  }
  Sequential model;
  if (rows) model.append("rows", Flatten{});
  try {
    model.append("net", interchange::GraphNet(std::move(graph)));
  } catch (const Error& wrong) {
    fail<BadDataError>(file, ": ", wrong.what());
  }
  return model;
}

}  // namespace

Sequential imported_model(const interchange::Graph& graph, RunRecord& run) {
  Sequential model = net_of_graph(graph, run.image, run.settings.model);
  for (const auto& [name, module] : model.named_modules()) {
    if (const auto* net = dynamic_cast<const interchange::GraphNet*>(module))
      run.settings.net = interchange::to_graph_json(net->graph());
  }
  const NoGrad no_grad;
  model.eval();
  const Tensor images = zeros({1, run.image.channels, run.image.height, run.image.width});
  Variable scores;
  try {
    scores = model(images);
  } catch (const Error& wrong) {
    fail<BadDataError>(run.settings.model, ": cannot be computed: ", wrong.what());
  }
  if (scores.value().shape() != Shape{1, run.image.classes}) {
    fail<BadDataError>(run.settings.model, ": gives ", describe(scores.value()), ", its file says ",
                       Shape{1, run.image.classes});
  }
  model.train();
  return model;
}

bool take_imported_model(const std::string& from, Settings& settings) {
  std::error_code error;
  if (!std::filesystem::is_directory(from, error)) return false;
  const LoadedRun run = load_run(from);
  if (!interchange::is_graph_json(run.record.settings.net)) return false;
  settings.model = run.record.settings.model;
  settings.net = run.record.settings.net;
  return true;
}

bool is_net_file(const std::string& model) { return model.ends_with(".json"); }

std::string read_net(const std::string& model) {
  if (!is_net_file(model)) {
    const std::vector<std::string>& names = model_names();
    if (std::find(names.begin(), names.end(), model) != names.end()) return {};
    fail<UsageError>("--model ", model, ": known are ", joined(names),
                     ", or a file NET.json of layers", did_you_mean(model, names));
  }
  return read_net_file(model);
}

std::string read_net_file(const std::string& path) {
  const InputFile file("net", path);
  if (file.size() > longest_net_text) {
    fail<BadDataError>(file.label(), ": has ", file.size(),
                       " bytes, the description of a net at most ", longest_net_text);
  }
  std::string text(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, text.data(), file.size());
  return text;
}

Sequential build_model(const Settings& settings, const ImageSpec& image, Generator& generator,
                       const NetLimits& limits) {
  if (interchange::is_graph_json(settings.net)) {
    return net_of_graph(
        interchange::from_graph_json(settings.net, settings.model, limits.parameter_bytes), image,
        settings.model);
  }
  if (settings.net.empty()) return make_model(settings.model, image, generator);
  return make_net(settings.net, settings.model, image, generator, limits);
}

Sequential new_model(const Settings& settings, const ImageSpec& image) {
  Generator generator(settings.seed);
  try {
    return build_model(settings, image, generator);
  } catch (const BadDataError&) {
    throw;
  } catch (const Error& error) {
    fail<UsageError>("--model ", settings.model, " does not suit --data ",
                     short_name(settings.data), ": ", error.what());
  }
}

FirstWeights load_weights_from(const std::string& file, const std::vector<std::string>& class_names,
                               Module& model) {
  const KnownWeights weights = load_weights(file);
  std::map<std::string, Tensor> found(weights.tensors.begin(), weights.tensors.end());
  const NamedTensors state = model.state_dict();
  const std::size_t head = state.empty() ? 0 : begin_of_head(state, std::ssize(class_names));
  NamedTensors fitting;
  bool new_head = weights.class_names && *weights.class_names != class_names;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const auto& [name, tensor] = state[i];
    const auto there = found.find(name);
    if (there == found.end()) {
      fail<BadDataError>("--from ", file, ": has no ", name,
                         ", which this model has: the weights of another model");
    }
    const bool fits = there->second.shape() == tensor.shape();
    if (!fits && i < head) {
      fail<BadDataError>("--from ", file, ": ", name, " is ", there->second.shape(),
                         ", this model has ", tensor.shape());
    }
    new_head = new_head || !fits;
    if (fits) fitting.emplace_back(name, there->second);
    found.erase(there);
  }
  if (!found.empty()) {
    fail<BadDataError>("--from ", file, ": has ", in_quotes(found.begin()->first),
                       ", which this model lacks: the weights of another model");
  }
  FirstWeights first{.checksum = checksum(weights.tensors), .new_layers = {}};
  if (new_head && !state.empty()) {
    fitting.resize(head);
    const std::string begin = layer_of(state[head].first);
    const std::string end = layer_of(state.back().first);
    first.new_layers = begin == end ? "layer " + begin + ", which is new"
                                    : "layers " + begin + " to " + end + ", which are new";
  }
  model.load_state_dict(fitting, {.strict = false, .cast = true});
  return first;
}

}  // namespace gradus::app
