// Draws the figures of the book: figures FOLDER. Those in docs/book/images are what it draws, which a test compares.
#include "figures/drawing.h"

#include <exception>
#include <iostream>

int main(int count, char** words) {
  if (count != 2) {
    std::cerr << "usage: figures FOLDER\n";
    return 2;
  }
  try {
    const std::string folder = words[1];
    book::draw_tensors(folder);
    book::draw_channels(folder);
    book::draw_tape(folder);
    book::draw_matrices(folder);
  } catch (const std::exception& error) {
    std::cerr << "figures: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
