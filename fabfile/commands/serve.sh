# Fetch the weights, then leave the process to vLLM. Above: the values and the function download.
# Where the weights lie is said by HF_HOME alone.
unset HF_HUB_CACHE HF_XET_CACHE
set -a
[ -f "$root/env" ] && . "$root/env"
[ -f "$engine/podfab-env" ] && . "$engine/podfab-env"
. "$run/env"
set +a
export NO_COLOR=1 HF_HUB_DISABLE_UPDATE_CHECK=1 VLLM_NO_USAGE_STATS=1 VLLM_LOGGING_COLOR=0
export LANG=C.UTF-8 LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1
export VLLM_CACHE_ROOT="$root/cache/vllm" PATH="$engine/bin:$PATH"
[ -n "${CUDA_HOME:-}" ] && export PATH="$PATH:$CUDA_HOME/bin"
cd "$run" || exit 1

# Without a hub, hf takes what is on disk for good and vLLM asks on for minutes: so one short question
# first. A certificate that is not trusted here is an answer: hf brings its own.
hub_answers() {
  timeout 10 "$engine/bin/python" -c '
import os, re, ssl, sys, urllib.error, urllib.request
hub = re.sub("//[^/@]*@", "//", os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
try:
    urllib.request.urlopen(f"{hub}/api/models/{sys.argv[1]}", timeout=5)
except urllib.error.HTTPError:
    pass
except urllib.error.URLError as error:
    sys.exit(not isinstance(error.reason, ssl.SSLError))
' "$model" 2>/dev/null
}

if [ "$fetch" = yes ]; then
  echo "[podfab] downloading $model"
  if ! hub_answers; then
    echo "[podfab] the hub does not answer; only what is on disk can be used"
    export HF_HUB_OFFLINE=1
  fi
  if ! download; then
    echo "[podfab] the download failed"
    exit 1
  fi
fi
