# depot_room(<folder> [LIBRARIES <target…>] [MAY_USE <folder…>])
# One room = one folder = one static library of all its .cc files, which links only what MAY_USE names.
# MAY_USE comes last: tests/lint/layering.py reads the same list up to the closing parenthesis.
# LIBRARIES are third-party or generated code, private to the room's .cc files.
function(depot_room folder)
  cmake_parse_arguments(ROOM "" "" "LIBRARIES;MAY_USE" ${ARGN})
  string(REPLACE "/" "_" target "depot_${folder}")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${folder}/*.cc")
  if(NOT sources)
    message(FATAL_ERROR "${folder} has no .cc files")
  endif()
  set_property(GLOBAL APPEND PROPERTY DEPOT_ROOMS ${folder})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE depot_settings ${ROOM_LIBRARIES})
  if(NOT folder IN_LIST DEPOT_UNCOUNTED_ROOMS)
    target_link_libraries(${target} PRIVATE depot_counters)
  endif()
  if(DEPOT_SANITIZE AND folder IN_LIST DEPOT_BUSY_ROOMS)
    target_compile_options(${target} PRIVATE -O1)
  endif()
  foreach(used IN LISTS ROOM_MAY_USE)
    string(REPLACE "/" "_" used_target "depot_${used}")
    target_link_libraries(${target} PUBLIC ${used_target})
  endforeach()
endfunction()

# depot_proto(<name…>): generates proto/<name>.proto with the lite runtime, for .cc files only.
function(depot_proto)
  add_library(depot_protocol STATIC)
  set_target_properties(depot_protocol PROPERTIES UNITY_BUILD OFF)
  set(out "${PROJECT_BINARY_DIR}/generated")
  file(MAKE_DIRECTORY "${out}/proto")
  foreach(name IN LISTS ARGN)
    set(from "${PROJECT_SOURCE_DIR}/proto/${name}.proto")
    add_custom_command(
      OUTPUT "${out}/proto/${name}.pb.cc" "${out}/proto/${name}.pb.h"
      COMMAND protobuf::protoc "--proto_path=${PROJECT_SOURCE_DIR}" "--cpp_out=${out}" "proto/${name}.proto"
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
      DEPENDS "${from}" VERBATIM)
    target_sources(depot_protocol PRIVATE "${out}/proto/${name}.pb.cc" "${out}/proto/${name}.pb.h")
  endforeach()
  target_include_directories(depot_protocol SYSTEM PUBLIC "${out}")
  target_link_libraries(depot_protocol PUBLIC protobuf::libprotobuf-lite)
  target_link_libraries(depot_protocol PRIVATE depot_sanitizers depot_counters)
  target_compile_options(depot_protocol PRIVATE
    $<$<CONFIG:Release>:-ffunction-sections;-fdata-sections;-ffile-prefix-map=${PROJECT_BINARY_DIR}/=>)
endfunction()

# Compiler settings in one place, linked privately by every product and test target.
add_library(depot_counters INTERFACE) # of what runs, for rooms: in the unit tests, half of a sanitized build, nobody reads them
if(DEPOT_FUZZ)
  target_compile_options(depot_counters INTERFACE -fsanitize=fuzzer-no-link)
endif()
add_library(depot_sanitizers INTERFACE)
foreach(sanitizer IN LISTS DEPOT_SANITIZE)
  target_compile_options(depot_sanitizers INTERFACE -fsanitize=${sanitizer} -fno-omit-frame-pointer)
  target_link_options(depot_sanitizers INTERFACE -fsanitize=${sanitizer})
endforeach()
if(DEPOT_SANITIZE)
  target_compile_definitions(depot_sanitizers INTERFACE DEPOT_SANITIZED)
endif()
if("undefined" IN_LIST DEPOT_SANITIZE)
  # clang 14 cannot assemble that check in a coroutine; g++ does not have it at all.
  target_compile_options(depot_sanitizers INTERFACE -fno-sanitize-recover=undefined
    $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)
endif()

add_library(depot_settings INTERFACE)
target_compile_options(depot_settings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<CXX_COMPILER_ID:Clang>:-Wreserved-identifier;-Wzero-as-null-pointer-constant>)
if(DEPOT_WERROR)
  target_compile_options(depot_settings INTERFACE -Werror)
endif()
target_link_libraries(depot_settings INTERFACE depot_sanitizers)
# A release reads what strangers send, so it is hardened; and it says nothing of where it was built: the same sources
# and packages give the same bytes in any folder.
target_compile_options(depot_settings INTERFACE
  $<$<CONFIG:Release>:-fstack-protector-strong;-ffunction-sections;-fdata-sections>
  $<$<CONFIG:Release>:-ffile-prefix-map=${PROJECT_BINARY_DIR}/=;-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=>)
target_compile_definitions(depot_settings INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
