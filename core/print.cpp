// Printing: nested brackets, columns aligned, large tensors summarised by their corners,
// as PyTorch does.
#include <gradus/core/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace gradus {
namespace {

constexpr std::int64_t summary_threshold = 1000;
constexpr std::int64_t edge_items = 3;

constexpr std::int64_t line_width = 80;

bool has_fractions(DType dtype) { return is_floating(dtype) || is_storage_only(dtype); }

/// How the numbers of one tensor are written: all alike, as wide as the widest that is not 0.
struct Format {
  DType dtype = float32;
  bool scientific = false;
  bool whole = true;  // every finite value is an integer: "1." says it in two characters
  int width = 1;

  std::string write(double value) const {
    if (dtype == boolean) return value != 0 ? "True" : "False";
    if (!has_fractions(dtype)) return std::to_string(static_cast<std::int64_t>(value));
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    char buffer[512];  // 1e308 has 309 digits
    std::snprintf(buffer, sizeof buffer, scientific ? "%.4e" : whole ? "%.0f." : "%.4f", value);
    return buffer;
  }
};

/// An int64 beyond 2^53 would lose digits in a double.
std::string write_element(const Tensor& scalar, const Format& format) {
  std::string text = scalar.dtype() == int64 ? std::to_string(*scalar.data<std::int64_t>())
                                             : format.write(scalar.item());
  if (const auto width = static_cast<std::size_t>(format.width); text.size() < width)
    text.insert(0, width - text.size(), ' ');
  return text;
}

/// Is this dimension cut down to its first and last items?
bool is_cut(const Tensor& x, bool summarise) { return summarise && x.size(0) > 2 * edge_items; }

/// The elements that will be shown, in order.
template <class Visit> void for_shown(const Tensor& x, bool summarise, const Visit& visit) {
  if (x.rank() == 0) return visit(x);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    if (is_cut(x, summarise) && i == edge_items) i = x.size(0) - edge_items;
    for_shown(x[i], summarise, visit);
  }
}

/// PyTorch's rules: zeros, NaN and infinities have no say, unless there is nothing else.
Format choose_format(const Tensor& x, bool summarise) {
  Format format{.dtype = x.dtype()};
  if (!has_fractions(x.dtype())) {
    for_shown(x, summarise, [&](const Tensor& scalar) {
      format.width = std::max(
          format.width,
          static_cast<int>(write_element(scalar, {.dtype = x.dtype(), .width = 0}).size()));
    });
    return format;
  }
  double least = INFINITY;
  double greatest = 0;
  for_shown(x, summarise, [&](const Tensor& scalar) {
    const double value = std::fabs(scalar.item());
    if (!std::isfinite(value) || value == 0) return;
    format.whole = format.whole && value == std::floor(value);
    greatest = std::max(greatest, value);
    least = std::min(least, value);
  });
  format.scientific = greatest > 0 && (greatest > 1e8 || greatest / least > 1000 ||
                                       (!format.whole && least < 1e-4));
  for_shown(x, summarise, [&](const Tensor& scalar) {
    const double value = scalar.item();
    if (!std::isfinite(value) || value == 0) return;
    format.width = std::max(format.width, static_cast<int>(format.write(value).size()));
  });
  return format;
}

/// One row of numbers, broken into lines of at most 80 characters, `indent` of them blank.
void write_row(std::string& text, const Tensor& x, const Format& format, bool summarise,
               std::size_t indent) {
  const std::int64_t room = line_width - static_cast<std::int64_t>(indent);
  const std::int64_t per_line = std::max<std::int64_t>(1, room / (format.width + 2));
  std::int64_t written = 0;
  const auto separate = [&] {
    if (written > 0) text += written % per_line == 0 ? ",\n" + std::string(indent + 1, ' ') : ", ";
    ++written;
  };
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    if (is_cut(x, summarise) && i == edge_items) {
      separate();
      text += " ...";
      i = x.size(0) - edge_items;
    }
    separate();
    text += write_element(x[i], format);
  }
}

void write(std::string& text, const Tensor& x, const Format& format, bool summarise,
           std::size_t indent) {
  if (x.rank() == 0) {
    text += write_element(x, format);
    return;
  }
  text += '[';
  if (x.rank() == 1) {
    write_row(text, x, format, summarise, indent);
  } else {
    const std::string separator = "," + std::string(static_cast<std::size_t>(x.rank() - 1), '\n') +
                                  std::string(indent + 1, ' ');
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      if (i > 0) text += separator;
      if (is_cut(x, summarise) && i == edge_items) {
        text += "..." + separator;
        i = x.size(0) - edge_items;
      }
      write(text, x[i], format, summarise, indent + 1);
    }
  }
  text += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "tensor(undefined)";
  const bool summarise = tensor.numel() > summary_threshold;
  std::string text = "tensor(";
  if (tensor.numel() == 0) {
    text += "[]";
  } else {
    write(text, tensor, choose_format(tensor, summarise), summarise, text.size());
  }
  if (tensor.numel() == 0 && tensor.rank() != 1) text += ", size=" + to_string(tensor.shape());
  const bool implied =
      tensor.dtype() == float32 ||
      ((tensor.dtype() == boolean || tensor.dtype() == int64) && tensor.numel() > 0);
  if (!implied) text += ", dtype=" + std::string(to_string(tensor.dtype()));
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  return out << to_string(tensor);
}

}  // namespace gradus
