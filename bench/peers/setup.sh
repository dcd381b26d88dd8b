#!/usr/bin/env bash
# setup.sh FOLDER - PyTorch, transformers and llama.cpp for comparisons, none of them part of
# omnitile. llama.cpp comes as the source that llama-cpp-python carries on PyPI.
set -euo pipefail
mkdir -p "$1" && cd "$1"
[ -d v ] || python3 -m venv v
v/bin/pip -q install torch==2.7.1 torchvision==0.22.1 transformers==4.52.4 pillow numpy \
	soundfile soxr faiss-cpu==1.15.1 \
	scikit-build-core cmake ninja pytrec_eval-terrier==0.5.11 pandas scikit-learn
v/bin/pip -q install --no-deps mteb==2.26.24 # its retrieval_metrics.py alone is used
v/bin/pip -q install --no-deps peft==0.15.2 accelerate==1.7.0 psutil # merged.py
if [ ! -d src ]; then
	v/bin/pip -q download --no-binary :all: --no-deps --no-build-isolation llama-cpp-python
	mkdir src && tar xf llama_cpp_python-*.tar.gz -C src --strip-components=1
fi
cd src/vendor/llama.cpp
../../../v/bin/cmake -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
	-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF >/dev/null
../../../v/bin/cmake --build build -j"$(nproc)" --target llama-bench >/dev/null
