#!/bin/sh
# Install what is missing, build, and run the main job on the default device.
set -eu
cd "$(dirname "$0")/.."
sh third_party/install.sh
mkdir -p build
cmake -S . -B build >build/configure.log 2>&1 || { cat build/configure.log && exit 1; }
cmake --build build -j "$(nproc)" >build/make.log 2>&1 || { cat build/make.log && exit 1; }
exec build/bin/lacuna run recipes/digits/prune.lua
