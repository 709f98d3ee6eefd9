# Without them FlashInfer compiles at the first start, or is not used at all; vLLM serves either way.
step_kernels() {
  local uv venv=$root/engines/$engine
  uv=$(usable_uv)
  # FlashInfer's installer asks pip for the list of its wheels; uv's environments have no pip.
  if "$uv" pip install --quiet --python "$venv/bin/python" pip &&
    PATH="$(dirname "$uv"):$venv/bin:$PATH" timeout 1800 "$venv/bin/vllm" download-kernels; then
    echo downloaded >"$venv/podfab-kernels"
    report changed "FlashInfer's kernels"
    return
  fi
  echo unavailable >"$venv/podfab-kernels"
  report skipped "they could not be downloaded (https://flashinfer.ai/whl); vLLM uses its own"
}
