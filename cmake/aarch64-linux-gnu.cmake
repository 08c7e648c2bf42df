# Cross-compiles for 64-bit Arm with Debian's compiler and the libraries that tools/fetch_arm64.sh
# unpacks; programs that ctest runs are emulated (QEMU_CPU says as which processor).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

get_filename_component(ringlet_arm64_root ${CMAKE_CURRENT_LIST_DIR}/../build/arm64-root ABSOLUTE)
# Headers without compiled parts come from the system itself.
set(CMAKE_FIND_ROOT_PATH ${ringlet_arm64_root})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${ringlet_arm64_root})
set(ENV{PKG_CONFIG_LIBDIR} ${ringlet_arm64_root}/usr/lib/aarch64-linux-gnu/pkgconfig)
