# Compiler settings and the two functions every room's CMakeLists.txt uses.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# -g1 keeps line numbers in back traces; full -g doubles the build time of a LibTorch unit.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

find_program(LONGCONV_CCACHE ccache)
if(LONGCONV_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${LONGCONV_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${LONGCONV_CCACHE}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${LONGCONV_CCACHE}")
endif()

if(LONGCONV_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${LONGCONV_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>)
  add_link_options(-fsanitize=${LONGCONV_SANITIZE})
  if(LONGCONV_SANITIZE MATCHES undefined)
    add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=undefined>)
  endif()
endif()

# Warnings of our own code; third-party headers come in as system headers.
add_library(longconv_warnings INTERFACE)
target_compile_options(longconv_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor;-Werror>
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Werror>)
if(LONGCONV_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Instrumented code hides from GCC that LibTorch's std::optional<at::Generator> is set (GCC's
  # manual: expect false warnings with -fsanitize). The plain build keeps the warning.
  target_compile_options(longconv_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
endif()

# longconv_library(NAME SOURCES a.cpp ... LINK target ...): target longconv_NAME, alias longconv::NAME.
function(longconv_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(longconv_${name} STATIC ${ARG_SOURCES})
  add_library(longconv::${name} ALIAS longconv_${name})
  set_target_properties(longconv_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(longconv_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/longconv>)
  target_link_libraries(longconv_${name} PUBLIC ${ARG_LINK}
                        PRIVATE $<BUILD_INTERFACE:longconv_warnings>)
  set_property(GLOBAL APPEND PROPERTY LONGCONV_LIBRARIES longconv_${name})
endfunction()

# longconv_test(NAME SOURCES a.cpp ... LINK target ... [LABELS gpu] [TIMEOUT s]):
# one GoogleTest program per room, registered case by case with ctest.
function(longconv_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main
                        longconv_warnings)
  target_compile_definitions(test_${name} PRIVATE
    LONGCONV_SOURCE_DIR="${PROJECT_SOURCE_DIR}" LONGCONV_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set(properties TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "OMP_NUM_THREADS=1")
  if(ARG_LABELS)
    list(APPEND properties LABELS ${ARG_LABELS})
  endif()
  # One ctest entry a program: starting LibTorch costs 0.3 s, too much to pay for each case.
  add_test(NAME ${name} COMMAND test_${name} --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES ${properties})
endfunction()
