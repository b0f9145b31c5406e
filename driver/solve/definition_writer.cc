#include "driver/solve/definition_writer.h"

#include "proto/llb.pb.h"

#include "driver/oci/digest.h"

namespace depot::solve {

DefinitionWriter::DefinitionWriter() : definition_(std::make_unique<pb::Definition>()) {}
DefinitionWriter::~DefinitionWriter() = default;

std::string DefinitionWriter::Add(const pb::Op& op, const std::string& name) {
  std::string bytes;
  op.SerializeToString(&bytes);
  std::string digest = DigestOf(bytes);
  // Of BuildKit's solver/pb/attr.go. A frontend wants a word about each operation.
  (*(*definition_->mutable_metadata())[digest].mutable_description())["llb.customname"] = name;
  definition_->add_def(std::move(bytes));
  return digest;
}

std::string DefinitionWriter::Finish(const std::string& result) {
  pb::Op last;
  last.add_inputs()->set_digest(result);
  definition_->add_def(last.SerializeAsString());
  return definition_->SerializeAsString();
}

}  // namespace depot::solve
