// A sample in every layout that its inputs may have.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/sample.h>

namespace gradus {

std::vector<Sample> in_every_layout(const std::vector<Sample>& samples) {
  const auto laid_out = [](const Sample& sample, const char* how, Tensor (*layout)(const Tensor&)) {
    Sample other{sample.description + ", " + how, {}, sample.function};
    for (const Variable& input : sample.inputs) {
      other.inputs.push_back(input.requires_grad() ? Variable(layout(input.value()), true) : input);
    }
    return other;
  };
  std::vector<Sample> all;
  for (const Sample& sample : samples) {
    all.push_back(sample);
    all.push_back(laid_out(sample, "transposed in memory", laid_out_backwards));
    all.push_back(laid_out(sample, "sliced", [](const Tensor& x) {
      if (x.rank() == 0) return zeros({2}, x.dtype()).select(0, 1).copy_(x);
      Shape wide = x.shape();
      wide[x.rank() - 1] *= 2;
      return zeros(wide, x.dtype()).slice(-1, 0, wide[x.rank() - 1], 2).copy_(x);
    }));
    all.push_back({sample.description + ", used twice", sample.inputs,
                   [f = sample.function](const Variables& v) {
                     const Variable whole = f(v);
                     const Variable half = mul(f(v), 0.5);
                     return add(whole, half);
                   }});
  }
  return all;
}

}  // namespace gradus
