// The C++ wrapper: ownership, and statuses as exceptions.
#include "halfstep/halfstep.hpp"

#include "FakeInstance.h"

namespace {
using halfstep::test::Batch;

hs_status fakeCreate(const hs_config *config, hs_instance **out) {
  return hs_instance_create(&fake_model, config, out);
}
using Fake = halfstep::Model<hs_instance, fakeCreate, hs_instance_destroy, hs_instance_last_error>;

// The status that `body` throws.
template <typename Body>
std::pair<hs_status, std::string> thrown(Body body) {
  try {
    body();
  } catch (const halfstep::Error &error) {
    return {error.status(), error.what()};
  }
  return {HS_OK, ""};
}

TEST(CxxApi, AModelRunsAndMoves) {
  Fake model;
  Batch batch;
  hs_step_result result = HS_STEP_RESULT_INIT;
  model.call(hs_instance_train_step, batch.inputs, batch.targets, &result);
  Fake moved = std::move(model);
  moved.call(hs_instance_train_step, batch.inputs, batch.targets, &result);
  EXPECT_EQ(result.updates, 2);
}

TEST(CxxApi, AFailedCallThrowsItsMessage) {
  Fake model;
  auto [status, message] = thrown([&] { model.call(hs_instance_set_batch, 77); });
  EXPECT_EQ(status, HS_ERROR_UNSUPPORTED);
  EXPECT_NE(message.find("77"), std::string::npos);
}

TEST(CxxApi, AFailedCreateThrowsItsMessage) {
  hs_config config = HS_CONFIG_INIT;
  config.threads = -3;
  auto [status, message] = thrown([&] { Fake model(config); });
  EXPECT_EQ(status, HS_ERROR_USAGE);
  EXPECT_EQ(message, "threads is -3, expected 0 to 1024");
}

TEST(CxxApi, AScaler) {
  halfstep::Scaler scaler;
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 32768.0f);
  EXPECT_EQ(thrown([&] { scaler.setState({-1, 0}); }).first, HS_ERROR_USAGE);
  scaler.setState({2, 5});
  EXPECT_EQ(scaler.state().growth_tracker, 5);
}

TEST(CxxApi, AScalerWithHysteresis) {
  hs_scaler_config config = HS_SCALER_CONFIG_INIT;
  config.hysteresis = 3;
  halfstep::Scaler scaler(config);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 65536.0f);
  EXPECT_EQ(scaler.hysteresis(), 2);
  EXPECT_EQ(thrown([&] { scaler.setHysteresis(4); }).first, HS_ERROR_USAGE);
  scaler.setHysteresis(1);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 32768.0f);
}

} // namespace
