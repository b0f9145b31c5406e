# Third-party libraries, all from Debian's packages, each under one name of ours; install/packages-build.txt lists the
# packages. With DEPOT_STATIC they come as archives.
if(DEPOT_STATIC)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
  set(OPENSSL_USE_STATIC_LIBS ON)
  set(Protobuf_USE_STATIC_LIBS ON)
endif()
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(nlohmann_json REQUIRED)

# depot_find_library(<name> [USES <target…>]): Debian's lib<name>, as target debian_<name>. USES matters for archives,
# which do not say what they need: the linker has to meet users before what they use.
function(depot_find_library name)
  cmake_parse_arguments(LIBRARY "" "" "USES" ${ARGN})
  find_library(DEBIAN_${name} ${name} REQUIRED)
  add_library(debian_${name} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(debian_${name} PROPERTIES
    IMPORTED_LOCATION "${DEBIAN_${name}}" INTERFACE_LINK_LIBRARIES "${LIBRARY_USES}")
endfunction()

depot_find_library(nghttp2)
depot_find_library(yaml-cpp)
depot_find_library(sqlite3)
depot_find_library(zstd)
depot_find_library(deflate)
depot_find_library(re2 USES Threads::Threads)
depot_find_library(crypt)
depot_find_library(unistring)
if(DEPOT_STATIC)
  add_library(depot_static_standins STATIC "${CMAKE_CURRENT_LIST_DIR}/static_standins.c")
  depot_find_library(z)
  depot_find_library(brotlicommon)
  depot_find_library(brotlidec USES debian_brotlicommon)
  depot_find_library(idn2 USES debian_unistring)
  depot_find_library(psl USES debian_idn2 debian_unistring)
  depot_find_library(ssh2 USES OpenSSL::Crypto debian_z)
  depot_find_library(curl USES depot_static_standins debian_nghttp2 debian_ssh2 debian_psl debian_idn2
    debian_brotlidec debian_zstd debian_z OpenSSL::SSL OpenSSL::Crypto)
else()
  depot_find_library(curl)
endif()

add_library(depot_json INTERFACE)
target_link_libraries(depot_json INTERFACE nlohmann_json::nlohmann_json)
add_library(depot_openssl INTERFACE)
target_link_libraries(depot_openssl INTERFACE OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
add_library(depot_nghttp2 INTERFACE)
target_link_libraries(depot_nghttp2 INTERFACE debian_nghttp2)
add_library(depot_curl INTERFACE)
target_link_libraries(depot_curl INTERFACE debian_curl)
add_library(depot_yaml INTERFACE)
target_link_libraries(depot_yaml INTERFACE debian_yaml-cpp)
add_library(depot_zstd INTERFACE)
target_link_libraries(depot_zstd INTERFACE debian_zstd)
add_library(depot_deflate INTERFACE)
target_link_libraries(depot_deflate INTERFACE debian_deflate)
add_library(depot_re2 INTERFACE)
target_link_libraries(depot_re2 INTERFACE debian_re2)
add_library(depot_crypt INTERFACE)
target_link_libraries(depot_crypt INTERFACE debian_crypt)
add_library(depot_unistring INTERFACE)
target_link_libraries(depot_unistring INTERFACE debian_unistring)
add_library(depot_sqlite INTERFACE)
target_link_libraries(depot_sqlite INTERFACE debian_sqlite3)
# CLI11, Boost.Asio and Boost.Beast are headers alone, where the compiler looks by itself.
find_path(DEBIAN_CLI11 CLI/CLI.hpp REQUIRED)
add_library(depot_cli11 INTERFACE)
add_library(depot_boost INTERFACE)
target_compile_definitions(depot_boost INTERFACE BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(depot_boost INTERFACE Threads::Threads)
if("thread" IN_LIST DEPOT_SANITIZE)
  # The thread sanitizer does not know fences; Asio's locks do without them.
  target_compile_definitions(depot_boost INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()

# depot_link_statically(<target>): one stripped file that needs nothing of the machine it runs on, and <target>.map beside
# it: the linker's word on which archives are inside, from which install/sbom.py writes the bill of materials.
# The linker warns that dlopen, getaddrinfo, gethostbyname and getpwuid_r "require at runtime the shared libraries from
# the glibc version used for linking". They would, to load NSS modules; static_names.c sees to it that none is asked
# for. The warnings stay: the only way to silence them (ld --no-warnings) also hides undefined symbols.
function(depot_link_statically target)
  target_link_options(${target} PRIVATE -static -s -Wl,--gc-sections
    "-Wl,-Map=${PROJECT_BINARY_DIR}/${target}.map")
  target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/static_names.c")
endfunction()
