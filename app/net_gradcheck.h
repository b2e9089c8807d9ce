// A net with its loss, checked against finite differences: for `gradus gradcheck --model` and for a report.
#pragma once

#include <gradus/gradcheck/module.h>
#include <gradus/layers/models.h>

namespace gradus::app {

/// Images of random pixels and their labels: what a picture shows does not matter to a derivative.
struct CheckedBatch {
  Tensor images;  ///< float64 [2,C,H,W]
  Tensor labels;
};
CheckedBatch batch_to_check(const ImageSpec& image, Generator& generator);

/// gradcheck() of cross_entropy(net(images), labels).
GradcheckReport check_net(Module& net, const CheckedBatch& batch, const GradcheckOptions& how);

}  // namespace gradus::app
