#pragma once

#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/bake/fields.h"
#include "plugin/hcl/document.h"
#include "plugin/hcl/evaluate.h"
#include "plugin/hcl/value.h"

namespace depot::bake {

/// Whether a target can have a field of that name.
bool IsField(std::string_view name);
std::vector<std::string_view> FieldNames();

/// Evaluates one attribute of a target into its field; one that nobody knows is passed over.
/// `matrix` and `name` are not fields. Errors point at the value.
Result<> ReadField(const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into);

/// The value of a field as a reference `target.NAME.FIELD` sees it: lists of entries are lists of
/// objects with text values, what was not said is null.
hcl::Value FieldValue(const Fields& fields, std::string_view name);

/// All fields, for a reference to the whole target.
hcl::Value FieldValues(const Fields& fields);

}  // namespace depot::bake
