# nvcc and the headers that kernels are compiled with, from NVIDIA's apt repository.
step_toolkit() {
  if [ -x "$cuda_home/bin/nvcc" ]; then
    report ok "$cuda_home"
    return
  fi
  if add_repository && apt_install "${toolkit_packages[@]}" &&
    [ -x "$cuda_home/bin/nvcc" ]; then
    report changed "$cuda_home"
    return
  fi
  echo "nvcc could not be installed from $nvidia_repository" >&2
  if [ "$toolkit_optional" = yes ]; then
    report skipped "NVIDIA's apt repository did not give it; vLLM does without (DeepGEMM is off)"
    return
  fi
  echo "see above; --toolkit=none goes on without it" >&2
  return 1
}

# Images of NVIDIA's know the repository already; naming it twice breaks apt.
add_repository() {
  if apt-cache show "${toolkit_packages[0]}" >/dev/null 2>&1; then return; fi
  fetch "$nvidia_repository/cuda-keyring_1.1-1_all.deb" "$root/cache/cuda-keyring.deb" &&
    as_root dpkg -i "$root/cache/cuda-keyring.deb" && apt_get update -qq
}
