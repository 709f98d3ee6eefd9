# What stands in this script is no secret. Secrets come in a file beside it, for its owner only.
step_environment() {
  local given=$root/env.given
  {
    printf '%s\n' "$environment" | without_missing_compiler
    if [ -f "${run:-}/environment" ]; then cat "$run/environment"; fi
    if [ -f "$authority" ]; then printf 'SSL_CERT_FILE=%q\n' "$authority"; fi
  } >"$given"
  {
    cat "$given"
    if [ -f "$root/env" ]; then
      # Variables that are not given now are kept.
      grep -vE "^($(cut -d= -f1 "$given" | paste -sd'|'))=" "$root/env" || true
    fi
  } >"$root/env.new"
  rm "$given"
  if [ -f "$root/env" ] && cmp -s "$root/env.new" "$root/env"; then
    rm "$root/env.new"
    report ok "$root/env"
    return
  fi
  mv "$root/env.new" "$root/env"
  report changed "$root/env"
}

without_missing_compiler() {
  if [ -z "${cuda_home:-}" ] || [ -x "$cuda_home/bin/nvcc" ]; then
    cat
  else
    sed -e '/^CUDA_HOME=/d' -e 's/^VLLM_USE_DEEP_GEMM=.*/VLLM_USE_DEEP_GEMM=0/'
  fi
}
