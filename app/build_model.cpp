// A net of layers is built anew from its text, which the checkpoint holds; its file is not needed again.
#include "build_model.h"

#include <gradus/core/words.h>
#include <gradus/io/input_file.h>
#include <gradus/layers/net_json.h>

#include <algorithm>
#include <map>

#include "data_parts.h"
#include "exit_code.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

/// "8.weight" -> "8": the layer of a parameter.
std::string layer_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

}  // namespace

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

Sequential build_model(const Settings& settings, const ImageSpec& image, Generator& generator) {
  if (settings.net.empty()) return make_model(settings.model, image, generator);
  return make_net(settings.net, settings.model, image, generator);
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
  const NamedVariables parameters = model.named_parameters();
  const std::string head = parameters.empty() ? "" : layer_of(parameters.back().first);
  NamedTensors fitting;
  bool new_head = weights.class_names && *weights.class_names != class_names;
  for (const auto& [name, tensor] : model.state_dict()) {
    const auto there = found.find(name);
    if (there == found.end()) {
      fail<BadDataError>("--from ", file, ": has no ", name,
                         ", which this model has: the weights of another model");
    }
    if (there->second.shape() == tensor.shape()) {
      fitting.emplace_back(name, there->second);
    } else if (layer_of(name) == head) {
      new_head = true;
    } else {
      fail<BadDataError>("--from ", file, ": ", name, " is ", there->second.shape(),
                         ", this model has ", tensor.shape());
    }
    found.erase(there);
  }
  if (!found.empty()) {
    fail<BadDataError>("--from ", file, ": has ", in_quotes(found.begin()->first),
                       ", which this model lacks: the weights of another model");
  }
  if (new_head)
    std::erase_if(fitting, [&](const auto& entry) { return layer_of(entry.first) == head; });
  model.load_state_dict(fitting, {.strict = false, .cast = true});
  return {.checksum = checksum(weights.tensors), .new_head = new_head ? head : ""};
}

}  // namespace gradus::app
