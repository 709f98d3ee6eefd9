step_packages() {
  if command -v cc >/dev/null; then
    report ok "a C compiler is there"
    return
  fi
  as_root apt-get -o DPkg::Lock::Timeout=120 update -qq
  as_root apt-get -o DPkg::Lock::Timeout=120 install -y -qq build-essential
  report changed "build-essential"
}
