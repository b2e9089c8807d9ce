// Activations: each is one call.
#include <gradus/autograd/functions.h>
#include <gradus/layers/activation.h>

namespace gradus {

Variable ReLU::forward(const Variable& x) { return relu(x); }

Variable Tanh::forward(const Variable& x) { return tanh(x); }

Variable Sigmoid::forward(const Variable& x) { return sigmoid(x); }

}  // namespace gradus
