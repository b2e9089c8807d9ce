// The net of a training: by name, or of layers that a JSON file lists.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/sequential.h>

#include <string>

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
/// such images, BadDataError for a file that describes none.
Sequential build_model(const Settings& settings, const ImageSpec& image, Generator& generator);

/// The net of a training that begins: from the generator of settings.seed. Throws UsageError, naming the
/// options, where model and images do not go together.
Sequential new_model(const Settings& settings, const ImageSpec& image);

/// Puts the tensors of `file` into `model`: a .safetensors file, a checkpoint or the folder of a training.
/// Where only the last layer differs, which gives the classes, it stays new. Returns its name, or "" where
/// all was loaded. Throws NotFoundError, and BadDataError for weights of another net.
std::string load_weights_from(const std::string& file, Module& model);

}  // namespace gradus::app
