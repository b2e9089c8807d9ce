// Exports every net of the tests to a folder: NAME.onnx, and beside it NAME.safetensors with inputs for batches of two
// sizes and what Gradus makes of them. compare.mjs runs the files with onnxruntime.
#include <gradus/core/error.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/io/safetensors.h>

#include <cstdio>
#include <exception>
#include <string>

#include "interchange/zoo.h"

namespace {

using namespace gradus;

void export_net(zoo::Net& net, const std::string& folder, bool fold) {
  net.options.fold_batch_norm = fold;
  const interchange::Graph graph = interchange::graph_of(*net.net, net.example, net.options);
  const std::string file = folder + "/" + net.name + (fold ? ".folded" : "");
  interchange::write_onnx(graph, file + ".onnx");
  net.net->eval();
  NamedTensors tensors;
  for (const std::int64_t batch : {1, 3}) {
    const std::string prefix = std::to_string(batch) + "/";
    const NamedTensors inputs = zoo::inputs_of(net, batch, 100 + static_cast<std::uint64_t>(batch));
    for (const auto& [name, tensor] : inputs) tensors.emplace_back(prefix + name, tensor);
    const Variables outputs = zoo::outputs_of(*net.net, inputs);
    for (std::size_t k = 0; k < outputs.size(); ++k)
      tensors.emplace_back(prefix + graph.outputs[k].name, outputs[k].value());
  }
  save_safetensors(file + ".safetensors", tensors);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: export_zoo FOLDER\n");
    return 2;
  }
  try {
    int files = 0;
    for (zoo::Net& net : zoo::all()) {
      export_net(net, argv[1], false);
      export_net(net, argv[1], true);
      files += 2;
    }
    std::printf("%d nets exported\n", files);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "export_zoo: %s\n", error.what());
    return 1;
  }
}
