# LibTorch from the PyPI wheel, as scripts/setup unpacks it: LIBTORCH_ROOT holds torch/ and nvidia/.
# Targets: LibTorch::cpu, and LibTorch::cuda where the CUDA libraries are there and CUDA is on.
# Torch's own find_package is not used: it fails at C++20 and edits CUDA flags.

if(NOT LIBTORCH_ROOT)
  if(DEFINED ENV{LIBTORCH_ROOT})
    set(_root "$ENV{LIBTORCH_ROOT}")
  else()
    if(DEFINED ENV{LONGCONV_CACHE})
      set(_cache "$ENV{LONGCONV_CACHE}")
    elseif(DEFINED ENV{XDG_CACHE_HOME})
      set(_cache "$ENV{XDG_CACHE_HOME}/longconv")
    else()
      set(_cache "$ENV{HOME}/.cache/longconv")
    endif()
    set(_root "${_cache}/libtorch-2.11.0-cuda")
    if(NOT LONGCONV_WITH_CUDA AND NOT EXISTS "${_root}/torch/lib/libtorch_cpu.so")
      set(_root "${_cache}/libtorch-2.11.0-cpu")
    endif()
  endif()
  set(LIBTORCH_ROOT "${_root}" CACHE PATH "Folder with torch/ and nvidia/ from the PyPI wheels")
endif()

set(_torch "${LIBTORCH_ROOT}/torch")
set(_wanted libc10.so libtorch_cpu.so)
if(LONGCONV_WITH_CUDA)
  list(APPEND _wanted libc10_cuda.so libtorch_cuda.so)
endif()
# Looked up at each configure: a cached find result would outlive a change of LIBTORCH_ROOT.
set(LibTorch_LIBRARIES_FOUND ON)
foreach(_library IN LISTS _wanted)
  if(NOT EXISTS "${_torch}/lib/${_library}")
    set(LibTorch_LIBRARIES_FOUND OFF)
    list(APPEND _missing "${_torch}/lib/${_library}")
  endif()
endforeach()
if(NOT EXISTS "${_torch}/include/ATen/core/Tensor.h")
  set(LibTorch_LIBRARIES_FOUND OFF)
  list(APPEND _missing "${_torch}/include")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LIBTORCH_ROOT LibTorch_LIBRARIES_FOUND
  REASON_FAILURE_MESSAGE "missing: ${_missing} - run scripts/setup, or set LIBTORCH_ROOT")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES IMPORTED_LOCATION "${_torch}/lib/libc10.so")
  add_library(LibTorch::cpu SHARED IMPORTED)
  set_target_properties(LibTorch::cpu PROPERTIES
    IMPORTED_LOCATION "${_torch}/lib/libtorch_cpu.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_torch}/include;${_torch}/include/torch/csrc/api/include"
    INTERFACE_COMPILE_DEFINITIONS "USE_DISTRIBUTED;USE_C10D_GLOO"
    INTERFACE_LINK_LIBRARIES LibTorch::c10)
  if(LONGCONV_WITH_CUDA)
    add_library(LibTorch::c10_cuda SHARED IMPORTED)
    set_target_properties(LibTorch::c10_cuda PROPERTIES
      IMPORTED_LOCATION "${_torch}/lib/libc10_cuda.so"
      INTERFACE_LINK_LIBRARIES "LibTorch::c10;CUDA::cudart")
    # libtorch_cuda registers its backend when loaded; no symbol of it is named, so keep it.
    add_library(LibTorch::cuda INTERFACE IMPORTED)
    set_target_properties(LibTorch::cuda PROPERTIES
      INTERFACE_COMPILE_DEFINITIONS USE_C10D_NCCL
      INTERFACE_LINK_LIBRARIES
      "LibTorch::cpu;-Wl,--no-as-needed,${_torch}/lib/libtorch_cuda.so,--as-needed;LibTorch::c10_cuda")
  endif()
endif()
