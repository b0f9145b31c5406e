# Toolchain for linux/arm64 on a Debian machine of another architecture: Debian's cross compiler with the libraries that
# Debian itself ships for arm64 (multiarch, /usr/lib/aarch64-linux-gnu). install/packages-release.txt lists both.
# Programs of the build (protoc) are the machine's own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# Known to CMake only after the first compiler test, but find_package() is to see it at once.
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# The cross compiler comes with a libc of its own, which gets no security updates. -B puts the libc6-dev:arm64 of the
# distribution before it, start files included.
set(CMAKE_EXE_LINKER_FLAGS_INIT -B/usr/lib/aarch64-linux-gnu/)
# The libraries whose packages cannot be installed for two architectures at a time: install/release unpacks them here.
list(APPEND CMAKE_PREFIX_PATH "${CMAKE_CURRENT_LIST_DIR}/../build/debian-arm64/libyaml-cpp-dev/usr"
  "${CMAKE_CURRENT_LIST_DIR}/../build/debian-arm64/libpq-dev/usr")
# FindOpenSSL asks pkg-config first, which would answer for this machine.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig)
