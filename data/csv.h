// Data sets out of tables: one sample a line, one column with its class, the others its numbers.
//
//   label,pixel0,pixel1,...          5.1,3.5,1.4,0.2,Iris-setosa
//   7,0,0,255,...                    4.9,3.0,1.4,0.2,Iris-setosa
//
// The file is read twice, field by field: once to learn how many samples it has, of which classes
// and numbers, and once to fill the tensors, which are all that is kept.
//
// Source of the format: RFC 4180, with the freedoms that programs take: line ends of either kind, other
// separators, a byte order mark, empty lines.
#pragma once

#include <gradus/core/shape.h>
#include <gradus/data/dataset.h>

#include <optional>
#include <string>
#include <vector>

namespace gradus {

/// What a table does not say of itself.
struct CsvOptions {
  /// The column of the classes: its name or, where no column is called so, its number, counted from
  /// 0. Empty: the column named "label", else "class", else "target", in letters of either case; else the first whose
  /// first value is a word; else, where one column alone has a word for its name, that one, and where none has, the
  /// first; of several names none is chosen (BadDataError). A word neither begins with a digit, a sign or a point nor
  /// stands for a number that is missing (NA, N/A, NaN, inf, null, none, nil, missing, ?, *, #).
  std::string label_column{};
  /// Has the first line names instead of numbers? Not given: it has where a column holds a number
  /// in the second line, and in the first a word. Of such a line no other field may be a number (BadDataError), but for
  /// numbers that count up, as columns may be called, and where the label has its name. And a line of 0, 1, 2 and so on,
  /// four at least, are names, as pandas writes them, unless it is alone or the second line begins with the next; that is
  /// logged.
  std::optional<bool> header{};
  /// Between the fields. Zero: whichever of , ; and tab the first line has most of.
  char separator = '\0';
  /// [C,H,W] of an image. Empty: [1,H,H] where the number of columns is a square, else
  /// [1,1,columns].
  Shape image_shape{};
  /// The classes in their order, so that a test file gets the labels of its training file: that
  /// one's Dataset::class_names. Another class is an error then. Empty: those of the file.
  std::vector<std::string> class_names{};
};

/// Reads a table, as it is or packed by gzip -> images [N,C,H,W], uint8 where every number is whole
/// and of 0..255, else float32; labels int64 [N] in 0..classes-1. Classes that are whole numbers, from
/// any start and with gaps, are sorted as numbers, others as words, byte by byte; class_names has
/// them. Spaces around a field do not count. The normalization stays that of Dataset.
/// Throws NotFoundError when there is no file, IoError when it cannot be read, ValueError for options
/// that do not fit the table, and BadDataError, with line (from 1) and column (from 0), for a field
/// that is no finite number, a line of another length, a class that is empty, a fraction, no UTF-8 or
/// longer than 256 bytes, more than 65,536 classes, no samples, a first column without a name among
/// names (row numbers of pandas), and for a packed file whose images
/// take more than 4 times its bytes and 64 MiB.
Dataset load_csv(const std::string& path, const CsvOptions& options = {});

}  // namespace gradus
