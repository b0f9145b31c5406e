#include "pool/web/routing.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot::web {
namespace {

template <typename Map>
const typename Map::mapped_type* Find(const Map& handlers,
                                      const std::string& method,
                                      const std::string& path) {
  auto found = handlers.find({method, path});
  return found == handlers.end() ? nullptr : &found->second;
}

std::vector<std::string> MethodsOf(const Routes& routes, const std::string& path) {
  std::vector<std::string> methods;
  auto add = [&](const auto& handlers) {
    for (const auto& [key, handler] : handlers) {
      if (key.second != path) continue;
      methods.push_back(key.first);
      if (key.first == "GET") methods.emplace_back("HEAD");
    }
  };
  add(routes.whole);
  add(routes.guarded);
  std::sort(methods.begin(), methods.end());
  methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
  return methods;
}

}  // namespace

Route FindRoute(const Routes& routes, const std::string& method, const std::string& path) {
  Route route;
  route.whole = Find(routes.whole, method, path);
  if (route.whole == nullptr && method == "HEAD") route.whole = Find(routes.whole, "GET", path);
  if (route.whole != nullptr) return route;
  route.door = Find(routes.guarded, method, path);
  if (route.door != nullptr) return route;
  std::vector<std::string> methods = MethodsOf(routes, path);
  if (!methods.empty()) {
    std::string allowed = Join(methods, ", ");
    route.refusal = TextResponse(405, Cat("this path takes ", allowed));
    route.refusal.headers.emplace_back("Allow", allowed);
  } else if (routes.otherwise) {
    route.door = &routes.otherwise;
  } else {
    route.refusal = TextResponse(404, "nothing is served at this path");
  }
  return route;
}

Response TextResponse(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.body = Secret(Cat(text, '\n'));
  return response;
}

}  // namespace depot::web
