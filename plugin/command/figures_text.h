#pragma once

#include <cstdint>
#include <string>

namespace depot::command {

/// Bytes as docker/go-units writes them: HumanSize ("1.032MB"), BytesSize ("953.7MiB").
std::string DecimalSize(std::int64_t bytes);
std::string BinarySize(std::int64_t bytes);

/// A duration as Go writes it: "48h0m0s", "1m30s".
std::string GoDuration(std::int64_t nanoseconds);

/// A fraction of a second behind a time: ".12", without zeros at its end; "" for 0.
std::string FractionText(std::int64_t nanoseconds);

/// How long something takes or is ago, roughly: "About a minute", "3 hours" (docker/go-units
/// HumanDuration).
std::string RoughDuration(std::int64_t seconds);

}  // namespace depot::command
