// The models the program trains, small enough for one core. Each is a Sequential:
// print it to see it.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/sequential.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// What a model is made for.
struct ImageSpec {
  std::int64_t channels = 1;
  std::int64_t height = 28;
  std::int64_t width = 28;
  std::int64_t classes = 10;
};

/// LeNet-5 with ReLU and max-pooling: [N,1,28,28] -> [N,classes]; 61,706 parameters for 10 classes.
/// Y. LeCun et al., "Gradient-based learning applied to document recognition",
/// Proc. IEEE 86(11), 1998.
Sequential make_lenet(std::int64_t classes = 10, Generator& generator = default_generator());

/// A small network in network: 3x3 convolutions, each followed by a 1x1 that mixes channels, all
/// with batch norm, then a linear head on 4x4 means. [N,C,H,W] -> [N,classes] for images of at
/// least 2x2. Made with the 8x8 digits in mind.
/// M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014.
Sequential make_cnn(std::int64_t channels = 1, std::int64_t classes = 10,
                    Generator& generator = default_generator());

/// A perceptron with hidden layers of 256 and 128:
/// [N, ...] with `inputs` numbers each -> [N,classes].
Sequential make_mlp(std::int64_t inputs, std::int64_t classes = 10,
                    Generator& generator = default_generator());

/// The residual network for CIFAR-10 with 20 layers: 3x3 convolutions of 16, 32 and 64 channels, a
/// shortcut over every two of them, which is a 1x1 convolution where the shape changes (option B).
/// [N,C,H,W] -> [N,classes]; 272,474 parameters for 3 channels and 10 classes. K. He et al., "Deep
/// residual learning for image recognition", CVPR 2016, section 4.2, n = 3.
Sequential make_resnet20(std::int64_t channels = 3, std::int64_t classes = 10,
                         Generator& generator = default_generator());

/// A small net of depthwise 3x3 convolutions, each followed by a 1x1 that mixes channels, for images
/// of about 32x32. [N,C,H,W] -> [N,classes]. A. Howard et al., "MobileNets", 2017.
Sequential make_mobilenet(std::int64_t channels = 3, std::int64_t classes = 10,
                          Generator& generator = default_generator());

/// Network in network after the authors' net for CIFAR-10, with a quarter of its channels, and batch
/// norm in the place of dropout: three times a convolution and two of 1x1, max-pooling between. The
/// last gives a map for each class, and the mean of a map is the score: no linear layer. For images
/// of 28x28 and more, takes any; [N,C,H,W] -> [N,classes], 64,132 parameters for 3 channels and 10
/// classes.
/// M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014.
Sequential make_nin(std::int64_t channels = 3, std::int64_t classes = 10,
                    Generator& generator = default_generator());

/// "cnn", "lenet", "mlp", "mobilenet", "nin" and "resnet20".
const std::vector<std::string>& model_names();

/// The model of that name for [N, channels, height, width] -> [N, classes].
/// Throws ValueError for an unknown name (listing the known), for sizes below 1, and for images the
/// model does not take: lenet wants [1,28,28], cnn at least 2x2.
Sequential make_model(std::string_view name, const ImageSpec& image,
                      Generator& generator = default_generator());

}  // namespace gradus
