#include "driver/solve/definition_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "proto/llb.pb.h"

#include "driver/oci/digest.h"

namespace depot::solve {
namespace {

/// The same for every target: what has the same bytes is one step to the builder.
std::string Deterministic(const pb::Op& op) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  op.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

DefinitionWriter::DefinitionWriter() : definition_(std::make_unique<pb::Definition>()) {}
DefinitionWriter::~DefinitionWriter() = default;

std::string DefinitionWriter::Add(const pb::Op& op, const std::string& name) {
  std::string bytes = Deterministic(op);
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
