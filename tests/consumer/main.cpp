// The smallest program that uses Gradus from outside: it fails to link, or exits with 1, when
// something is amiss.
#include <gradus/gradus.h>

#include <iostream>

int main() {
  std::cout << "gradus " << gradus::library_version() << '\n';
  return gradus::library_version() == gradus::version ? 0 : 1;
}
