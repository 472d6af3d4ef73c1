# cmake --install and find_package(longconv): written by the set-up work.
