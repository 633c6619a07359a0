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

/// For embedders that come without a counter.
class FourBytes : public TokenCounter {
 public:
  std::size_t count(std::string_view text) const override { return (text.size() + 3) / 4; }
  std::string name() const override { return "four-bytes"; }
};

}  // namespace

void LoadedModels::add(std::string name, std::unique_ptr<Embedder> embedder,
                       std::unique_ptr<TokenCounter> tokens) {
  if (!tokens) tokens = std::make_unique<FourBytes>();
  const std::lock_guard lock(mutex_);
  embedders_[name] = std::move(embedder);
  counters_[name] = std::move(tokens);
  own_.insert(std::move(name));
}

std::string LoadedModels::fingerprint(const std::string& name, const OnProgress& progress) const {
  const std::lock_guard lock(mutex_);
  if (own_.contains(name)) return embedders_.at(name)->fingerprint();
  std::string& known = fingerprints_[name];
  if (known.empty()) known = store_.fingerprint(name, progress);
  return known;
}

std::string LoadedModels::generator_fingerprint(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto known = generator_fingerprints_.find(name);
  if (known != generator_fingerprints_.end()) return known->second;
  return generator_fingerprints_[name] = store_.generator_fingerprint(name);
}

std::shared_ptr<const Embedder> LoadedModels::embedder(const std::string& name, const OnProgress& progress) {
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
