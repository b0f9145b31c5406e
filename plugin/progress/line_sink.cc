#include "plugin/progress/line_sink.h"

#include "driver/base/text.h"

namespace depot {

void LineSink::Emit(Event event) {
  const Notice* notice = std::get_if<Notice>(&event);
  if (notice != nullptr) terminal_.WriteError(Cat(notice->text, '\n'), cancel_);
}

}  // namespace depot
