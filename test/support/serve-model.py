"""Serves one GGUF model on loopback through llama.cpp's own OpenAI- and Anthropic-shaped HTTP server.

Usage: python serve-model.py MODEL.gguf PORT     (the venv of the `model` component, scripts/components.mjs)
For wire shape, streaming and true token counts; a model this small is no use for meaning.
"""

import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_ctx = 2048  # shared by the two slots
params.n_parallel = 2
params.cpuparams.n_threads = 1
params.sampling.temp = 0  # the same prompt gives the same text

server = xllamacpp.Server(params)  # kept in a variable: the server lives as long as this object
print("ready", server.listening_address, flush=True)
threading.Event().wait()
