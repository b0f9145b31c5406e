#pragma once

namespace depot::disk {

/// Removes `name` in `directory`, and everything below it when it is a directory, without following
/// a symlink. 0 (also when it does not exist), or the errno.
int RemoveTree(int directory, const char* name);

}  // namespace depot::disk
