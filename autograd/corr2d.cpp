// The chapter's functions, composed of ops, so that they can be differentiated like anything
// else. They share no code with the convolution kernels: tests hold one against the other.
#include <gradus/autograd/corr2d.h>
#include <gradus/autograd/functions.h>

namespace gradus {
namespace {

void check(std::string_view op, const Variable& x, int x_rank, const Variable& k, int k_rank) {
  if (x.rank() != x_rank || k.rank() != k_rank) {
    fail<ShapeError>(op, ": expects an input of rank ", x_rank, " and a kernel of rank ", k_rank,
                     ", got ", x.shape(), " and ", k.shape());
  }
  if (k.size(-2) < 1 || k.size(-1) < 1 || k.size(-2) > x.size(-2) || k.size(-1) > x.size(-1)) {
    fail<ShapeError>(op, ": kernel ", k.shape(), " does not fit into input ", x.shape());
  }
}

void check_channels(std::string_view op, const Variable& x, const Variable& k,
                    std::int64_t k_channels) {
  if (x.size(0) != k_channels || k_channels < 1) {
    fail<ShapeError>(op, ": input has ", x.size(0), " channels, kernel has ", k_channels,
                     " (input ", x.shape(), ", kernel ", k.shape(), ")");
  }
}

}  // namespace

Variable corr2d(const Variable& x, const Variable& k) {
  check("corr2d", x, 2, k, 2);
  const std::int64_t height = x.size(0) - k.size(0) + 1;
  const std::int64_t width = x.size(1) - k.size(1) + 1;
  Variable y;
  for (std::int64_t u = 0; u < k.size(0); ++u) {
    for (std::int64_t v = 0; v < k.size(1); ++v) {
      // All windows at once: the pixels that meet K[u,v] are the input, shifted by (u,v).
      const Variable term =
          narrow(narrow(x, 0, u, height), 1, v, width) * select(select(k, 0, u), 0, v);
      y = y.defined() ? y + term : term;
    }
  }
  return y;
}

Variable corr2d_multi_in(const Variable& x, const Variable& k) {
  check("corr2d_multi_in", x, 3, k, 3);
  check_channels("corr2d_multi_in", x, k, k.size(0));
  Variable y = corr2d(select(x, 0, 0), select(k, 0, 0));
  for (std::int64_t c = 1; c < x.size(0); ++c) y = y + corr2d(select(x, 0, c), select(k, 0, c));
  return y;
}

Variable corr2d_multi_in_out(const Variable& x, const Variable& k) {
  check("corr2d_multi_in_out", x, 3, k, 4);
  check_channels("corr2d_multi_in_out", x, k, k.size(1));
  Variables channels;
  for (std::int64_t o = 0; o < k.size(0); ++o)
    channels.push_back(corr2d_multi_in(x, select(k, 0, o)));
  return stack(channels, 0);
}

Variable corr2d_multi_in_out_1x1(const Variable& x, const Variable& k) {
  check("corr2d_multi_in_out_1x1", x, 3, k, 4);
  check_channels("corr2d_multi_in_out_1x1", x, k, k.size(1));
  if (k.size(2) != 1 || k.size(3) != 1) {
    fail<ShapeError>("corr2d_multi_in_out_1x1: expects a kernel [co,ci,1,1], got ", k.shape(),
                     " for input ", x.shape());
  }
  const Variable pixels = reshape(x, {x.size(0), x.size(1) * x.size(2)});
  const Variable mixed = matmul(reshape(k, {k.size(0), k.size(1)}), pixels);
  return reshape(mixed, {k.size(0), x.size(1), x.size(2)});
}

Variable compose_conv2d(const Variable& first, const Variable& second, Pair stride) {
  if (first.rank() != 4 || second.rank() != 4 || first.numel() == 0 || second.numel() == 0) {
    fail<ShapeError>(
        "compose_conv2d: expects kernels [m,ci,h,w] and [co,m,h,w] with elements, got ",
        first.shape(), " and ", second.shape());
  }
  if (first.size(0) != second.size(1)) {
    fail<ShapeError>("compose_conv2d: the first kernel gives ", first.size(0),
                     " channels, the second takes ", second.size(1), " (", first.shape(), ", ",
                     second.shape(), ")");
  }
  // Each weight of the second kernel spreads the first one, as a transposed convolution does.
  return conv_transpose2d(second, first, {}, {.stride = stride});
}

}  // namespace gradus
