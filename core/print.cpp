// Printing: nested brackets, columns aligned, large tensors summarised by their corners, as PyTorch
// does.
#include <gradus/core/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gradus {
namespace {

constexpr std::int64_t summary_threshold = 1000;
constexpr std::int64_t edge_items = 3;

/// How the numbers of one tensor are written: all alike, as wide as the widest.
struct Format {
  bool floating = false;
  bool scientific = false;
  bool whole = false;  // every finite value is an integer: "1." says it in two characters
  int width = 0;

  std::string write(double value) const {
    if (!floating) return std::to_string(static_cast<std::int64_t>(value));
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, scientific ? "%.4e" : whole ? "%.0f." : "%.4f", value);
    return buffer;
  }
};

double element(const Tensor& scalar) { return scalar.item(); }

/// The elements that will be shown, in order; nullptr stands for nothing, "..." is written by the
/// caller.
template <class Visit> void for_shown(const Tensor& x, bool summarise, const Visit& visit) {
  if (x.rank() == 0) return visit(x);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    if (summarise && x.size(0) > 2 * edge_items && i == edge_items) i = x.size(0) - edge_items;
    for_shown(x[i], summarise, visit);
  }
}

Format choose_format(const Tensor& x, bool summarise) {
  Format format{.floating = is_floating(x.dtype())};
  double least = INFINITY;
  double greatest = 0;
  format.whole = true;
  for_shown(x, summarise, [&](const Tensor& scalar) {
    const double value = std::fabs(element(scalar));
    if (!std::isfinite(value)) return;
    format.whole = format.whole && value == std::floor(value);
    greatest = std::max(greatest, value);
    if (value > 0) least = std::min(least, value);
  });
  format.scientific =
      greatest >= 1e8 || (!format.whole && (greatest / least > 1000 || least < 1e-4));
  for_shown(x, summarise, [&](const Tensor& scalar) {
    format.width = std::max(format.width, static_cast<int>(format.write(element(scalar)).size()));
  });
  return format;
}

void write(std::string& text, const Tensor& x, const Format& format, bool summarise,
           std::size_t indent) {
  if (x.rank() == 0) {
    if (x.dtype() == boolean) {
      text += *x.data<bool>() ? " True" : "False";
      return;
    }
    const std::string number = format.write(element(x));
    text.append(static_cast<std::size_t>(format.width) - number.size(), ' ');
    text += number;
    return;
  }
  text += '[';
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    if (i > 0) {
      text += ',';
      if (x.rank() == 1) {
        text += ' ';
      } else {
        text.append(static_cast<std::size_t>(x.rank() - 1), '\n');
        text.append(indent + 1, ' ');
      }
    }
    if (summarise && x.size(0) > 2 * edge_items && i == edge_items) {
      text += "...";
      i = x.size(0) - edge_items - 1;
      continue;
    }
    write(text, x[i], format, summarise, indent + 1);
  }
  text += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "tensor(undefined)";
  const bool summarise = tensor.numel() > summary_threshold;
  std::string text = "tensor(";
  write(text, tensor, choose_format(tensor, summarise), summarise, text.size());
  if (tensor.numel() == 0 && tensor.rank() != 1) text += ", size=" + to_string(tensor.shape());
  const bool implied = tensor.dtype() == float32 || tensor.dtype() == boolean ||
                       (tensor.dtype() == int64 && tensor.numel() > 0);
  if (!implied) text += ", dtype=" + std::string(to_string(tensor.dtype()));
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  return out << to_string(tensor);
}

}  // namespace gradus
