// What a build without ONNX says in the place of onnx/read.cpp and onnx/write.cpp.
#include <gradus/core/error.h>
#include <gradus/interchange/onnx_file.h>

namespace gradus::interchange {
namespace {

[[noreturn]] void refuse(const std::string& file) {
  fail<IoError>("onnx: ", file,
                ": this build has no ONNX; install libonnx-dev, libprotobuf-dev and "
                "protobuf-compiler, and build again with GRADUS_ONNX=ON");
}

}  // namespace

bool has_onnx() { return false; }
Graph read_onnx(const std::string& path, std::vector<std::string>*) { refuse(path); }
Graph parse_onnx(std::string_view, const std::string& label) { refuse(label); }
Tensor read_onnx_tensor(const std::string& path) { refuse(path); }
void write_onnx(const Graph&, const std::string& path) { refuse(path); }
std::string onnx_bytes(const Graph& graph) { refuse(graph.name); }

}  // namespace gradus::interchange
