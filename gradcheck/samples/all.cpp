// The list of all ops, chapter by chapter: what the gradient checker runs, what the program prints. A
// test compares it with the chapters, so that no op is forgotten. An explicit list: objects that
// register themselves vanish when a linker takes only what is used from a static library.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus {

const std::vector<OpSamples>& all_ops() {
  static const std::vector<OpSamples> all = [] {
    std::vector<OpSamples> ops;
    for (const auto chapter :
         {samples::arithmetic, samples::activation, samples::elementwise, samples::reduce,
          samples::shape, samples::rearrange, samples::index_chapter, samples::scan,
          samples::einsum_chapter, samples::linalg, samples::conv, samples::image, samples::pool,
          samples::norm, samples::loss, samples::difference_loss, samples::margin_loss,
          samples::attention}) {
      for (const OpSamples& op : chapter()) ops.push_back(op);
    }
    return ops;
  }();
  return all;
}

}  // namespace gradus
