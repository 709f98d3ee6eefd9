# Fetch the weights, then leave the process to vLLM. Above: the values and the function download.
set -a
[ -f "$root/env" ] && . "$root/env"
. "$run/env"
set +a
export NO_COLOR=1 HF_HUB_DISABLE_UPDATE_CHECK=1 VLLM_NO_USAGE_STATS=1 VLLM_LOGGING_COLOR=0
export LANG=C.UTF-8 LC_ALL=C.UTF-8 PYTHONUNBUFFERED=1
export VLLM_CACHE_ROOT="$root/cache/vllm" PATH="$engine/bin:$PATH"
cd "$run" || exit 1

if [ "$fetch" = yes ]; then
  echo "[podfab] downloading $model"
  if ! download; then
    if HF_HUB_OFFLINE=1 download >/dev/null 2>&1; then
      echo "[podfab] the hub gave nothing; the copy on disk is complete and is used"
      export HF_HUB_OFFLINE=1
    else
      echo "[podfab] the download failed"
      exit 1
    fi
  fi
fi
