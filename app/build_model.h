// The net of a training: by name, or of layers that a JSON file lists.
#pragma once

#include <gradus/core/random.h>
#include <gradus/interchange/graph.h>
#include <gradus/layers/net_json.h>
#include <gradus/layers/sequential.h>

#include <string>
#include <vector>

#include "records.h"

namespace gradus::app {

/// Is `model` the name of a file of layers?
bool is_net_file(const std::string& model);
/// The text of such a file; empty for a model's name. Throws UsageError for a name that is neither, with the
/// nearest, and what read_net_file() throws.
std::string read_net(const std::string& model);
/// Throws NotFoundError and IoError for a file that cannot be read, BadDataError for one that is too long.
std::string read_net_file(const std::string& path);

/// The net of the settings with first weights from `generator`. Throws Error for a net that does not take
/// such images, BadDataError for a file that describes none, or one beyond the limits.
Sequential build_model(const Settings& settings, const ImageSpec& image, Generator& generator,
                       const NetLimits& limits = {});

/// The net of a training that begins: from the generator of settings.seed. Throws UsageError, naming the
/// options, where model and images do not go together.
Sequential new_model(const Settings& settings, const ImageSpec& image);

/// The net that a graph is, for the images and classes of `run`, whose settings get its description: with the weights
/// of the graph. Throws BadDataError for a graph that does not give such classes of such images.
Sequential imported_model(const interchange::Graph& graph, RunRecord& run);
/// Where no model was asked for and `from` is the folder of an imported net, that net is the model. Is it so?
bool take_imported_model(const std::string& from, Settings& settings);

/// What became of weights that a training begins with.
struct FirstWeights {
  std::string checksum;    ///< CRC-32 of all of them, eight hexadecimal digits
  std::string new_layers;  ///< "layer 15, which is new" in words; empty: none
};

/// Puts the tensors of `file` into `model`: a .safetensors file, a checkpoint or the folder of a training.
/// The last layer that gives as many numbers as there are classes, and those behind it, stay new where the classes
/// are others, by number or by name. Throws NotFoundError, and BadDataError for weights of another net.
FirstWeights load_weights_from(const std::string& file, const std::vector<std::string>& class_names,
                               Module& model);

}  // namespace gradus::app
