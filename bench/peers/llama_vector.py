"""The mean of llama.cpp's last hidden states, attended in both directions, as JSON.

    llama_vector.py PEERS MODEL.gguf '[token, ...]'

Goes through llama-cpp-python's ctypes declarations, without that package's own dependencies."""
import ctypes
import json
import os
import sys
import types

import numpy

peers, path, tokens = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
os.environ["LLAMA_CPP_LIB_PATH"] = os.path.join(peers, "src/vendor/llama.cpp/build/bin")
package = types.ModuleType("llama_cpp")
package.__path__ = [os.path.join(peers, "src/llama_cpp")]
sys.modules["llama_cpp"] = package
import llama_cpp.llama_cpp as llama  # noqa: E402

llama.llama_backend_init()
model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
params = llama.llama_context_default_params()
params.n_ctx = params.n_batch = params.n_ubatch = 1024
params.embeddings = True
params.pooling_type = llama.LLAMA_POOLING_TYPE_MEAN
params.attention_type = 1  # LLAMA_ATTENTION_TYPE_NON_CAUSAL
params.n_threads = params.n_threads_batch = os.cpu_count()
context = llama.llama_init_from_model(model, params)
array = (llama.llama_token * len(tokens))(*tokens)  # the batch points into it
batch = llama.llama_batch_get_one(array, len(tokens))
if llama.llama_decode(context, batch):
    sys.exit("llama_decode failed")
values = llama.llama_get_embeddings_seq(context, 0)
size = llama.llama_model_n_embd(model)
print(json.dumps(numpy.ctypeslib.as_array(values, (size,)).astype(float).tolist()))
