// The list of all ops: what the gradient checker runs, what the program prints. A test compares it
// with the chapters, so that an op cannot be forgotten here.
#include <gradus/autograd/gradcheck.h>
#include <gradus/autograd/ops/list.h>

namespace gradus {
namespace ops {
namespace {

template <class... T> struct List {
  static std::vector<OpInfo> entries() { return {op_info<T>()...}; }
};

}  // namespace

/// Naming a struct here also declares it; its definition stays in its chapter.
using AllOps = List<
    // arithmetic.cpp
    struct Add, struct Shift, struct Sub, struct Mul, struct Scale, struct Div, struct DivScalar,
    struct ScalarDiv, struct Neg, struct PowScalar, struct Pow, struct Maximum, struct Minimum,
    struct Clamp, struct Where,
    // activation.cpp
    struct Exp, struct Log, struct Sqrt, struct Abs, struct Tanh, struct Sigmoid, struct ReluGrad,
    struct Relu, struct Dropout,
    // reduce.cpp
    struct Sum, struct Mean, struct Var, struct Max, struct Min, struct LogSumExp, struct Softmax,
    struct LogSoftmax, struct SumTo,
    // shape.cpp
    struct Reshape, struct Permute, struct Expand, struct SliceScatter, struct Slice, struct Cat,
    struct Stack, struct IndexSelect, struct IndexAdd, struct Gather, struct ScatterAdd,
    // linalg.cpp
    struct MatMul, struct Linear,
    // conv.cpp
    struct Conv2d, struct Conv2dInputGrad, struct Conv2dWeightGrad,
    // pool.cpp
    struct MaxPool2d, struct MaxPool2dScatter, struct MaxPool2dGather, struct AvgPool2d,
    struct AvgPool2dGrad, struct AdaptiveAvgPool2d, struct AdaptiveAvgPool2dGrad,
    // norm.cpp
    struct BatchNorm,
    // loss.cpp
    struct CrossEntropy, struct NllLoss, struct MseLoss>;

}  // namespace ops

const std::vector<OpInfo>& all_ops() {
  static const std::vector<OpInfo> all = ops::AllOps::entries();
  return all;
}

}  // namespace gradus
