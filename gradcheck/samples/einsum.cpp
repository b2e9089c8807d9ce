// Inputs for the functions of autograd/ops/einsum.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

std::function<Variable(const Variables&)> einsum_by(const char* equation) {
  return [equation](const Variables& v) { return einsum(equation, v); };
}

std::vector<Sample> einsum_samples() {
  return {{"matrices", {spread({3, 4}, 1), spread({4, 5}, 2)}, einsum_by("ij,jk->ik")},
          {"a batch, the result turned",
           {spread({2, 3, 4}, 3), spread({2, 4, 5}, 4)},
           einsum_by("bij,bjk->kbi")},
          {"squares, no arrow", {spread({3, 3}, 5), spread({3, 3}, 6)}, einsum_by("ij,jk")},
          {"a diagonal", {spread({4, 4}, 7)}, einsum_by("ii->i")},
          {"a trace", {spread({4, 4}, 8)}, einsum_by("ii")},
          {"three operands",
           {spread({2}, 9), spread({2, 3, 4}, 10), spread({4}, 11)},
           einsum_by("a,abc,c->b")},
          {"an ellipsis that broadcasts",
           {spread({2, 3, 4}, 12), spread({4, 5}, 13)},
           einsum_by("...ij,jk->...ik")},
          {"sizes 1 that are repeated",
           {spread({3, 1}, 14), spread({4, 5}, 15)},
           einsum_by("ij,jk->ik")},
          {"sums on one side", {spread({3, 4}, 16), spread({5, 2}, 17)}, einsum_by("ij,kl->jk")},
          {"scalars", {spread({}, 18), spread({}, 19)}, einsum_by(",->")},
          {"nothing to sum", {spread({3, 0}, 20), spread({0, 4}, 21)}, einsum_by("ij,jk->ik")},
          {"the same twice", {spread({3, 3}, 22)}, [](const Variables& v) {
             return einsum("ij,ij->i", {v[0], v[0]});
           }}};
}

std::vector<Sample> einsum_training_samples() {
  return {{"attention",
           {spread({4, 33, 4, 31}, 1), spread({4, 37, 4, 31}, 2)},
           einsum_by("bqhd,bkhd->bhqk")},
          {"a bilinear form",
           {spread({47, 33}, 3), spread({33, 31}, 4), spread({47, 31}, 5)},
           einsum_by("bi,ij,bj->b")},
          {"an outer product", {spread({257}, 6), spread({317}, 7)}, einsum_by("i,j->ij")}};
}

std::vector<Sample> bmm_samples() {
  const auto f = [](const Variables& v) { return bmm(v[0], v[1]); };
  return {{"all sizes different", {spread({2, 3, 4}, 1), spread({2, 4, 5}, 2)}, f},
          {"cubes", {spread({3, 3, 3}, 3), spread({3, 3, 3}, 4)}, f},
          {"nothing", {spread({0, 3, 4}, 5), spread({0, 4, 5}, 6)}, f}};
}

std::vector<Sample> bmm_training_samples() {
  return {{"heads", {spread({16, 61, 33}, 1), spread({16, 33, 63}, 2)}, [](const Variables& v) {
             return bmm(v[0], v[1]);
           }}};
}

std::vector<Sample> outer_samples() {
  const auto f = [](const Variables& v) { return outer(v[0], v[1]); };
  return {{"sizes different", {spread({3}, 1), spread({4}, 2)}, f},
          {"sizes equal", {spread({3}, 3), spread({3}, 4)}, f},
          {"nothing", {spread({0}, 5), spread({3}, 6)}, f}};
}

std::vector<Sample> outer_training_samples() {
  return {{"a large one", {spread({331}, 1), spread({317}, 2)}, [](const Variables& v) {
             return outer(v[0], v[1]);
           }}};
}

std::vector<Sample> dot_samples() {
  const auto f = [](const Variables& v) { return dot(v[0], v[1]); };
  return {{"vectors", {spread({5}, 1), spread({5}, 2)}, f},
          {"of one", {spread({1}, 3), spread({1}, 4)}, f},
          {"nothing", {spread({0}, 5), spread({0}, 6)}, f},
          {"the same twice", {spread({4}, 7)}, [](const Variables& v) { return dot(v[0], v[0]); }}};
}

std::vector<Sample> dot_training_samples() {
  return {{"many",
           {spread({many_elements}, 1), spread({many_elements}, 2)},
           [](const Variables& v) { return dot(v[0], v[1]); }}};
}

}  // namespace

std::vector<OpSamples> einsum_chapter() {
  return {
      {"einsum", einsum_samples, einsum_training_samples},
      {"bmm", bmm_samples, bmm_training_samples},
      {"outer", outer_samples, outer_training_samples},
      {"dot", dot_samples, dot_training_samples},
  };
}

}  // namespace gradus::samples
