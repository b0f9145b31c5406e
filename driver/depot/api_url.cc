#include "driver/depot/api_url.h"

#include "driver/base/environment.h"
#include "driver/depot/api.h"

namespace depot::api {

std::string ApiUrl(const Environment& environment) {
  std::string said = Variable(environment, "DEPOT_API_URL");
  return said.empty() ? kDefaultApiUrl : said;
}

}  // namespace depot::api
