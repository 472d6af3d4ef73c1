# cmake --install BUILD --prefix PREFIX: the program and its completion, the libraries with their
# headers, and what find_package(longconv) reads. tests/install builds a consumer against it.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(_libraries GLOBAL PROPERTY LONGCONV_LIBRARIES)
# The plain-loop twins and the timing loop serve our own tests and programs.
list(REMOVE_ITEM _libraries longconv_reference longconv_bench_timing)
set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/longconv")

# The installed program finds LibTorch where it lay at link time.
set_target_properties(longconv PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS longconv RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(FILES apps/completion/longconv.bash
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME longconv)
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/longconv")

install(TARGETS ${_libraries} EXPORT longconvTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}/longconv")
install(DIRECTORY core models data train DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/longconv"
        FILES_MATCHING PATTERN "*.h" PATTERN "reference" EXCLUDE)
install(EXPORT longconvTargets NAMESPACE longconv:: DESTINATION "${_package_dir}")

set(LONGCONV_CUDA_ROOT "")
if(LONGCONV_WITH_CUDA)
  get_filename_component(LONGCONV_CUDA_ROOT "${CUDAToolkit_BIN_DIR}" DIRECTORY)
endif()
configure_package_config_file(cmake/longconvConfig.cmake.in
  "${PROJECT_BINARY_DIR}/cmake/longconvConfig.cmake" INSTALL_DESTINATION "${_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/longconvConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/cmake/longconvConfig.cmake"
              "${PROJECT_BINARY_DIR}/cmake/longconvConfigVersion.cmake"
              cmake/FindLibTorch.cmake
        DESTINATION "${_package_dir}")

if(LONGCONV_TESTS)
  add_subdirectory(tests/install)
endif()
