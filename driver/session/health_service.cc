#include "proto/session.pb.h"

#include "driver/session/services.h"

namespace depot::session {

void AddHealth(rpc::ServiceTable& table) {
  table.Add("/grpc.health.v1.Health/Check",
            rpc::UnaryHandler(
                [](const rpc::Metadata&, const std::string&, std::string& response, const Cancel&) {
                  HealthCheckResponse answer;
                  answer.set_status(HealthCheckResponse::SERVING);
                  answer.SerializeToString(&response);
                  return rpc::Status{};
                }));
}

}  // namespace depot::session
