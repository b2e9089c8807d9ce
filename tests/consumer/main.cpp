// The smallest program that uses Gradus from outside: it fails to link, or exits with 1, when
// something is amiss.
#include <gradus/gradus.h>

#include <iostream>

int main() {
  using namespace gradus;
  std::cout << "gradus " << library_version() << '\n';

  // One pass through every folder: BLAS, the tape, a layer, an optimizer.
  Linear layer{3, 2};
  SGD optimizer(layer.parameters(), {.lr = 0.1});
  const Variable loss = mse_loss(layer(ones({4, 3})), zeros({4, 2}));
  loss.backward();
  optimizer.step();
  const bool falls = mse_loss(layer(ones({4, 3})), zeros({4, 2})).item() < loss.item();
  return falls && library_version() == version ? 0 : 1;
}
