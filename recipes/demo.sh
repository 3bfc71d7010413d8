#!/bin/sh
# Install what is missing, build, and run the main job on the default device: generate scenes of shapes, train a
# captioning model dense and pruned to 90 %, and print both side by side. Everything goes to build/demo.
set -eu
cd "$(dirname "$0")/.."
sh third_party/install.sh
mkdir -p build
cmake -S . -B build >build/configure.log 2>&1 || { cat build/configure.log && exit 1; }
cmake --build build -j "$(nproc)" >build/make.log 2>&1 || { cat build/make.log && exit 1; }

lacuna=build/bin/lacuna
out=build/demo
begin=$(date +%s)
rm -rf "$out"
mkdir "$out"
echo "1. Two thousand scenes to learn from, five captions each, and others to judge by"
$lacuna data build --shapes 2000 -o "$out/shapes.h5"
$lacuna data build --shapes 6000 --seed 2 -o "$out/unseen.h5"
echo "2. Dense: recipes/shapes/updown.lua"
$lacuna run --out "$out/dense" recipes/shapes/updown.lua
echo "3. Pruned while it trains: recipes/shapes/updown-supermask.lua"
$lacuna run --out "$out/pruned" recipes/shapes/updown-supermask.lua
printf '\n4. Both on unseen scenes, and the commonest training caption for comparison\n'
$lacuna eval "$out/dense/best.h5" "$out/pruned/best_sparse.h5" --data "$out/unseen.h5" --majority --samples 3
printf '\nfrom data to table in %d s\n' $(($(date +%s) - begin))
