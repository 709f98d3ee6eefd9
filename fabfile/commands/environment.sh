# What an engine's programs run with. Needs: root, engine, run. Where the weights lie is said by
# HF_HOME alone.
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

