#include <gtest/gtest.h>

#include "memory_call.h"
#include "proto/session.pb.h"

#include "driver/session/services.h"

namespace depot::session::health_service_test {
namespace {

TEST(HealthService, AlwaysServes) {
  rpc::ServiceTable table;
  AddHealth(table);
  std::string wire;
  EXPECT_TRUE(Ask(table, "/grpc.health.v1.health/check", "", wire).ok());
  HealthCheckResponse response;
  ASSERT_TRUE(response.ParseFromString(wire));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
}

}  // namespace
}  // namespace depot::session::health_service_test
