// |Bᵀ|, |G| and |Aᵀ| of Winograd's F(4x4, 3x3), what the bounds of its error are made of; written
// down again, independently of core/kernels/conv2d/winograd_transforms.cpp.
#pragma once

#include <cstdint>
#include <vector>

namespace winograd {

using Matrix = std::vector<std::vector<double>>;

constexpr std::int64_t m = 4;      // the side of an output tile
constexpr std::int64_t n = m + 2;  // and of an input tile

inline const Matrix b_t{{4, 0, 5, 0, 1, 0}, {0, 4, 4, 1, 1, 0}, {0, 4, 4, 1, 1, 0},
                        {0, 2, 1, 2, 1, 0}, {0, 2, 1, 2, 1, 0}, {0, 4, 0, 5, 0, 1}};
inline const Matrix g{{0.25, 0, 0},
                      {1.0 / 6, 1.0 / 6, 1.0 / 6},
                      {1.0 / 6, 1.0 / 6, 1.0 / 6},
                      {1.0 / 24, 1.0 / 12, 1.0 / 6},
                      {1.0 / 24, 1.0 / 12, 1.0 / 6},
                      {0, 0, 1}};
inline const Matrix a_t{
    {1, 1, 1, 1, 1, 0}, {0, 1, 1, 2, 2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, 1, 8, 8, 1}};

inline Matrix transposed(const Matrix& a) {
  Matrix t(a[0].size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[0].size(); ++j) t[j][i] = a[i][j];
  }
  return t;
}

}  // namespace winograd
