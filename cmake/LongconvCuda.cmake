# Enables CUDA if LONGCONV_CUDA is ON and a compiler is found. Sets LONGCONV_WITH_CUDA.
# CMake 3.25.1 does not know nvcc's -std=c++20, so the option is named here.

set(LONGCONV_WITH_CUDA OFF)
if(LONGCONV_CUDA AND NOT LONGCONV_FUZZ)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX} AND EXISTS /usr/local/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${LONGCONV_CUDA_ARCHS})
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared) # else a second, static cudart sits beside LibTorch's
    find_package(CUDAToolkit REQUIRED)
    if(CUDAToolkit_VERSION VERSION_LESS 13 OR CUDAToolkit_VERSION VERSION_GREATER_EQUAL 14)
      message(FATAL_ERROR "longconv: ${CMAKE_CUDA_COMPILER} is of CUDA ${CUDAToolkit_VERSION}; "
              "LibTorch 2.11.0 wants 13. Set CMAKE_CUDA_COMPILER, or LONGCONV_CUDA=OFF.")
    endif()
    set(LONGCONV_WITH_CUDA ON)
  endif()
endif()
message(STATUS "longconv: CUDA code ${LONGCONV_WITH_CUDA}")
