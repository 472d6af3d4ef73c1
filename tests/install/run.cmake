# cmake -DBUILD=... -DSOURCE=... -P run.cmake: install, configure, build and run the consumer.
set(work "${BUILD}/install_consumer")
file(REMOVE_RECURSE "${work}")

function(step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed (${status}):\n${out}")
  endif()
  set(last_output "${out}" PARENT_SCOPE)
endfunction()

step("installing" ${CMAKE_COMMAND} --install "${BUILD}" --prefix "${work}/prefix")
foreach(file IN ITEMS bin/longconv share/bash-completion/completions/longconv
                      include/longconv/core/ops/long_conv.h)
  if(NOT EXISTS "${work}/prefix/${file}")
    message(FATAL_ERROR "the installation lacks ${file}")
  endif()
endforeach()
set(launcher "")
if(CCACHE)
  set(launcher "-DCMAKE_CXX_COMPILER_LAUNCHER=${CCACHE}")
endif()
# A plain `cmake` call as a consumer would make it: nothing of our build's settings but the compiler.
step("configuring the consumer" ${CMAKE_COMMAND} -S "${SOURCE}/consumer" -B "${work}/build"
     -G "${GENERATOR}" "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DCMAKE_CXX_COMPILER=${CXX}" ${launcher})
step("building the consumer" ${CMAKE_COMMAND} --build "${work}/build")
step("running the consumer" "${work}/build/consumer")
if(NOT last_output MATCHES "1 2 3 4")
  message(FATAL_ERROR "the consumer printed: ${last_output}")
endif()
# The installed program starts from its new place: LibTorch is found without LD_LIBRARY_PATH.
step("running the installed program" ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH
     "${work}/prefix/bin/longconv" --version)
file(REMOVE_RECURSE "${work}")
