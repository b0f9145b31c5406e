#include "driver/event/labelled_sink.h"

#include "driver/base/text.h"

namespace depot {
namespace {

class LabelledSink final : public EventSink {
 public:
  LabelledSink(EventSink& sink, std::string label) : sink_(sink), label_(std::move(label)) {}

  void Emit(Event event) override {
    std::visit([this](auto& one) { Mark(one); }, event);
    sink_.Emit(std::move(event));
  }

 private:
  void Mark(Vertex& vertex) const {
    Own(vertex.digest);
    for (std::string& input : vertex.inputs)
      Own(input);
    Name(vertex.name);
    if (vertex.group_id.empty()) return;
    Own(vertex.group_id);
    Name(vertex.group_name);
  }
  void Mark(VertexStatus& status) const { Own(status.vertex); }
  void Mark(VertexLog& log) const { Own(log.vertex); }
  void Mark(VertexWarning& warning) const { Own(warning.vertex); }
  void Mark(Notice& /*notice*/) const {}

  void Own(std::string& digest) const { digest += Cat("@", label_); }

  void Name(std::string& name) const {
    bool bracket = !name.empty() && name.front() == '[';
    std::string_view inside = bracket ? std::string_view(name).substr(0, name.find(']')) : "";
    for (std::string_view platform : Split(label_, ',')) {
      if (inside.find(Trim(platform)) != std::string_view::npos) return;
    }
    name = bracket ? Cat("[", label_, " ", name.substr(1)) : Cat("[", label_, "] ", name);
  }

  EventSink& sink_;
  const std::string label_;
};

}  // namespace

std::unique_ptr<EventSink> MakeLabelledSink(EventSink& sink, std::string label) {
  return std::make_unique<LabelledSink>(sink, std::move(label));
}

}  // namespace depot
