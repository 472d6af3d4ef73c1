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
include(FindPackageHandleStandardArgs)
find_file(LibTorch_CPU_LIBRARY libtorch_cpu.so PATHS "${_torch}/lib" NO_DEFAULT_PATH)
find_path(LibTorch_INCLUDE_DIR torch/version.h
          PATHS "${_torch}/include" "${_torch}/include/torch/csrc/api/include" NO_DEFAULT_PATH)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run scripts/setup, or set LIBTORCH_ROOT")

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
