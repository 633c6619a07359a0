#include "engine/loaded_models.hpp"

namespace hasten {
namespace {

template <class Model, class Load>
std::shared_ptr<const Model> find_or_load(std::map<std::string, std::shared_ptr<const Model>>& known,
                                          const std::string& name, const Load& load) {
  auto& model = known[name];
  if (!model) model = load();
  return model;
}

}  // namespace

std::shared_ptr<const Embedder> LoadedModels::embedder(const std::string& name,
                                                       const OnProgress& progress) {
  const std::lock_guard lock(mutex_);
  return find_or_load(embedders_, name, [&] { return store_.embedder(name, threads_, progress); });
}

std::shared_ptr<const TokenCounter> LoadedModels::token_counter(const std::string& name,
                                                                const OnProgress& progress) {
  const std::lock_guard lock(mutex_);
  return find_or_load(counters_, name, [&] { return store_.token_counter(name, progress); });
}

std::shared_ptr<const Generator> LoadedModels::generator(const std::string& name,
                                                         const OnProgress& progress) {
  const std::lock_guard lock(mutex_);
  return find_or_load(generators_, name, [&] { return store_.generator(name, threads_, progress); });
}

}  // namespace hasten
