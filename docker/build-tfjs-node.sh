#!/bin/sh
# Builds the addon of @tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu against the TensorFlow of a Python wheel, in
# place of libtensorflow 2.9.1, which those packages download when they are installed. Linux only.
#
#   pip install tensorflow-cpu==2.21.0                                # or, for a GPU, 'tensorflow[and-cuda]==2.21.0'
#   npm install --ignore-scripts @tensorflow/tfjs-node@4.22.0         # or @tensorflow/tfjs-node-gpu@4.22.0
#   sh docker/build-tfjs-node.sh node_modules/@tensorflow/tfjs-node "$(python3 -c \
#     'import importlib.util as i; print(i.find_spec("tensorflow").submodule_search_locations[0])')"
#
# It needs make, a C++17 compiler, python3, and Node's headers: those beside `node` where they are, else node-gyp
# downloads them. The addon goes on using the wheel's libraries where they lie: leave them there.
set -eu

if [ $# -ne 2 ]; then
  echo 'usage: build-tfjs-node.sh PACKAGE TENSORFLOW: two folders, of the npm package and of the wheel' >&2
  exit 2
fi
package=$(cd "$1" && pwd)
tensorflow=$(cd "$2" && pwd)
if [ ! -e "$tensorflow/libtensorflow_cc.so.2" ]; then
  echo "there is no libtensorflow_cc.so.2 in $tensorflow" >&2
  exit 1
fi

rm -rf "$package/deps"
mkdir -p "$package/deps/lib"
ln -s "$tensorflow/include" "$package/deps/include"
# the C interface is in libtensorflow_cc; the linker asks for it by the name that it has outside Python
ln -s "$tensorflow/libtensorflow_cc.so.2" "$package/deps/lib/libtensorflow.so"
ln -s "$tensorflow/libtensorflow_framework.so.2" "$package/deps/lib/libtensorflow_framework.so"

headers=$(node -p 'path.resolve(process.execPath, "../..")')
if [ -e "$headers/include/node/node_api.h" ]; then export npm_config_nodedir="$headers"; fi
# Loaded from its own folder and not through a link, the library finds what lies beside it, CUDA's wheels included.
export LDFLAGS="-Wl,-rpath,$tensorflow ${LDFLAGS-}"
cd "$package"
node "$(node -p 'require.resolve("@mapbox/node-pre-gyp/bin/node-pre-gyp")')" rebuild
node -e 'require(process.cwd())'
