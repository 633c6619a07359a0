#include <gtest/gtest.h>

#include "tests/stores/store_model.hpp"

namespace hasten {
namespace {

using LocalStoreModelTest = StoreTest;

/// After a compaction the model keeps only the vectors of texts that some node has.
void forget_unused(StoreModel& model) {
  std::set<Id> used;
  for (const auto& [number, node] : model.nodes) used.insert(node.text_hash);
  std::erase_if(model.vectors, [&](const auto& vector) { return !used.contains(vector.first); });
}

TEST_F(LocalStoreModelTest, TenThousandRandomStepsAgreeWithPlainMaps) {
  constexpr int kSteps = 10'000;
  RandomWriter random(20261122);
  LocalStore store = open_store(folder());
  StoreModel committed;
  int step = 0;
  while (step < kSteps) {
    StoreModel working = committed;
    {
      auto writing = store.write();
      for (std::size_t n = 1 + random.below(60); n > 0; --n, ++step) {
        random.change(store, *writing, working);
      }
      if (random.below(4) != 0) {
        committed = std::move(working);
        committed.commit = writing->commit();
      } else {
        ASSERT_EQ(difference(store, *writing, working), "") << "within, at step " << step;
        random.forget_group();
      }
    }
    const std::size_t next = random.below(20);
    if (next == 0) reopen(store);
    if (next == 1) {
      store.compact();
      forget_unused(committed);
      ++committed.commit;
    }
    const auto reading = store.read();
    ASSERT_EQ(reading->seen(), committed.commit) << "at step " << step;
    if (next >= 5) continue;
    ASSERT_EQ(difference(store, *reading, committed), "") << "at step " << step;
  }
  EXPECT_EQ(difference(store, *store.read(), committed), "");
  EXPECT_TRUE(store.verify().empty());
}

}  // namespace
}  // namespace hasten
