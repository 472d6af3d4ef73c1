# Writes version_info.h; touches it only when something in it changed. Run at each build.
execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE failed)
if(failed OR commit STREQUAL "")
  set(commit "unknown")
endif()
if(WITH_CUDA)
  string(REPLACE "+" " " archs "${ARCHS}")
else()
  set(archs "")
endif()
set(text "// Written by apps/version_info.cmake.
#pragma once

#define LONGCONV_VERSION \"${VERSION}\"
#define LONGCONV_COMMIT \"${commit}\"
#define LONGCONV_BUILD_TYPE \"${BUILD_TYPE}\"
#define LONGCONV_BUILT_ARCHS \"${archs}\"
")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" before)
endif()
if(NOT before STREQUAL text)
  file(WRITE "${OUTPUT}" "${text}")
endif()
