#include "driver/solve/dockerfile_input.h"

#include "proto/llb.pb.h"

#include "driver/base/text.h"
#include "driver/solve/definition_writer.h"

namespace depot::solve {
namespace {

/// On top of what `below` has made; "" = of nothing.
pb::Op MakeFile(const std::string& below, const std::string& path, const std::string& text) {
  pb::Op op;
  if (!below.empty()) op.add_inputs()->set_digest(below);
  pb::FileAction* action = op.mutable_file()->add_actions();
  action->set_input(below.empty() ? -1 : 0);
  action->set_secondary_input(-1);
  action->set_output(0);
  action->mutable_mkfile()->set_path(path);
  action->mutable_mkfile()->set_mode(0644);
  action->mutable_mkfile()->set_data(text);
  return op;
}

}  // namespace

std::string DockerfileInput(const DockerfileText& dockerfile) {
  DefinitionWriter writer;
  const std::string path = Cat('/', dockerfile.name);
  std::string last = writer.Add(MakeFile("", path, dockerfile.text),
                                Cat("[internal] load build definition from ", dockerfile.name));
  if (dockerfile.ignore) {
    // What stands beside the Dockerfile under this name is taken before that of the context. A
    // file without a byte would count as none.
    const std::string text = dockerfile.ignore->empty() ? "\n" : *dockerfile.ignore;
    last = writer.Add(MakeFile(last, Cat(path, ".dockerignore"), text),
                      "[internal] load .dockerignore");
  }
  return writer.Finish(last);
}

}  // namespace depot::solve
