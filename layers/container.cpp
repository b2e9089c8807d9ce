// The row of modules that containers have in common, and ModuleList.
#include <gradus/layers/container.h>

#include <algorithm>
#include <iterator>

namespace gradus {

void ModuleContainer::check_index(std::size_t index) const {
  if (index >= size()) {
    fail<ValueError>(kind(), ": index ", index, " is out of range for ", size(), " modules");
  }
}

void ModuleContainer::check_module(const std::unique_ptr<Module>& module) const {
  if (module == nullptr)
    fail<ValueError>(kind(), ": cannot take a null module; it has ", size(), " modules");
}

void ModuleContainer::wrong_type(std::size_t index) const {
  fail<ValueError>(kind(), ": module ", index, " is of another type than asked for: it is ",
                   (*this)[index].kind());
}

const Module& ModuleContainer::operator[](std::size_t index) const {
  check_index(index);
  return *entries_[index].module;
}

Module& ModuleContainer::operator[](std::size_t index) {
  return const_cast<Module&>(std::as_const(*this)[index]);
}

void ModuleContainer::insert(std::size_t index, std::unique_ptr<Module> module) {
  if (index != size()) check_index(index);
  check_module(module);
  entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(index),
                  Entry{{}, std::move(module)});
}

std::unique_ptr<Module> ModuleContainer::pop(std::size_t index) {
  check_index(index);
  std::unique_ptr<Module> module = std::move(entries_[index].module);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
  return module;
}

std::unique_ptr<Module> ModuleContainer::replace(std::size_t index,
                                                 std::unique_ptr<Module> module) {
  check_index(index);
  check_module(module);
  return std::exchange(entries_[index].module, std::move(module));
}

void ModuleContainer::check_name(const std::string& name) const {
  const bool like_an_index = !name.empty() && name[0] >= '0' && name[0] <= '9';
  if (like_an_index || name.find('.') != std::string::npos) {
    fail<ValueError>(kind(), ": the name \"", name,
                     "\" holds a dot, or begins with a digit as the index of a module does");
  }
  const auto same = [&](const Entry& entry) { return entry.name == name; };
  if (!name.empty() && std::any_of(entries_.begin(), entries_.end(), same))
    fail<ValueError>(kind(), ": the name \"", name, "\" is taken by another of ", size(),
                     " modules");
}

void ModuleContainer::add(std::string name, std::unique_ptr<Module> module) {
  check_module(module);
  check_name(name);
  entries_.push_back({std::move(name), std::move(module)});
}

void ModuleContainer::add_all(ModuleContainer&& other) {
  if (this == &other) fail<ValueError>(kind(), ": cannot be moved to the end of itself");
  for (const Entry& entry : other.entries_) check_name(entry.name);  // before any is moved
  std::move(other.entries_.begin(), other.entries_.end(), std::back_inserter(entries_));
  other.entries_.clear();
}

void ModuleContainer::visit(Visitor& v) {
  for (std::size_t i = 0; i < size(); ++i) {
    const Entry& entry = entries_[i];
    v(entry.name.empty() ? std::to_string(i) : entry.name, *entry.module);
  }
}

ModuleList& ModuleList::append(std::unique_ptr<Module> module) {
  add({}, std::move(module));
  return *this;
}

ModuleList& ModuleList::extend(ModuleList&& other) {
  add_all(std::move(other));
  return *this;
}

Variable ModuleList::forward(const Variable& x) {
  fail<ValueError>("ModuleList: has no forward of its own, for ", x.shape(),
                   " or any input; run its ", size(), " modules one by one");
}

}  // namespace gradus
