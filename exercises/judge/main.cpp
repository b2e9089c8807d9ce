// One exercise as a program: judges the learner's function, prints the verdict, exits with 0 or 1.
// Its argument is the seed that draws the inputs; 0 without one.
#include <cstdlib>
#include <exception>
#include <iostream>

#include "judgement.h"

/// Each exercise ends with it.
gradus::Judgement judged(std::uint64_t seed);

int main(int argc, char** argv) {
  try {
    const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0;
    const gradus::Judgement judgement = judged(seed);
    for (const std::string& line : judgement.lines) std::cout << line << "\n";
    return judgement.passed ? 0 : 1;
  } catch (const std::exception& error) {
    std::cout << "it threw: " << error.what() << "\n";
    return 1;
  }
}
