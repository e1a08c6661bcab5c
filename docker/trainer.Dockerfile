# syntax=docker/dockerfile:1
# `evenkeel train` for NVIDIA GPUs, on tfjs-node-gpu. Build from the repository's root, and run with NVIDIA's container
# toolkit; recordings and checkpoints lie in /data:
#   docker build -f docker/trainer.Dockerfile -t evenkeel-trainer .
#   docker run --rm --gpus all -v trainer:/data -e EVENKEEL_KEY evenkeel-trainer --server https://… --size gpt2
#
# Two images, by the TensorFlow that computes:
#   (default)         that of the Python wheel 2.21, against which the addon is built. Its kernels are for compute
#                     capabilities 6.0, 7.0, 8.0 and 8.9, and for 9.0 (Hopper) and later in a form that the driver
#                     compiles; CUDA 12.5, cuDNN 9.
#   --target cuda11   libtensorflow 2.9.1, which tfjs-node-gpu 4.22 downloads. CUDA 11.2, which knows GPUs up to compute
#                     capability 8.6 (Ampere); Hopper came with CUDA 11.8. For older GPUs: kernels from 3.5 on.
#
# What was run: neither image was built, and nothing ran on a GPU. The steps of the default one were run by hand on
# Debian 12 with Node 20 and without CUDA's packages: the addon was built against that wheel, found no GPU and trained
# on the CPU. libtensorflow 2.9.1 was not run at all.

ARG SITE_PACKAGES=/opt/tensorflow/lib/python3.11/site-packages

FROM node:22-bookworm AS trainer
WORKDIR /evenkeel
COPY . .
RUN npm ci --no-audit --no-fund && npm run build && rm -rf apps/dashboard/.next/cache \
  && npm install --no-save --omit=dev --ignore-scripts --no-audit --no-fund \
    @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0 @tensorflow/tfjs-node-gpu@4.22.0

FROM trainer AS libtensorflow
RUN npm rebuild --foreground-scripts @tensorflow/tfjs-node-gpu

FROM nvidia/cuda:11.2.2-cudnn8-runtime-ubuntu20.04 AS cuda11
# TensorFlow would take all of the GPU's memory at its start.
ENV NODE_ENV=production TF_FORCE_GPU_ALLOW_GROWTH=true XDG_CACHE_HOME=/data/.cache
COPY --from=libtensorflow /usr/local/bin/node /usr/local/bin/node
COPY --from=libtensorflow --chown=root:root /evenkeel /evenkeel
WORKDIR /data
RUN chown 1000:1000 /data
USER 1000
VOLUME /data
ENTRYPOINT ["node", "/evenkeel/apps/cli/bin/evenkeel.mjs", "train", "--backend", "node-gpu"]

FROM trainer AS wheel
ARG SITE_PACKAGES
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/* \
  && python3 -m venv /opt/tensorflow \
  && /opt/tensorflow/bin/pip install --no-cache-dir 'tensorflow[and-cuda]==2.21.0' \
  && sh docker/build-tfjs-node.sh node_modules/@tensorflow/tfjs-node-gpu "$SITE_PACKAGES/tensorflow"

FROM node:22-bookworm-slim
ENV NODE_ENV=production TF_FORCE_GPU_ALLOW_GROWTH=true XDG_CACHE_HOME=/data/.cache
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
# TensorFlow's libraries look for CUDA's in the folder beside their own.
ARG SITE_PACKAGES
COPY --from=wheel $SITE_PACKAGES/tensorflow/libtensorflow*.so.2 $SITE_PACKAGES/tensorflow/
COPY --from=wheel $SITE_PACKAGES/nvidia $SITE_PACKAGES/nvidia
COPY --from=wheel --chown=root:root /evenkeel /evenkeel
WORKDIR /data
RUN chown 1000:1000 /data
USER 1000
VOLUME /data
ENTRYPOINT ["node", "/evenkeel/apps/cli/bin/evenkeel.mjs", "train", "--backend", "node-gpu"]
