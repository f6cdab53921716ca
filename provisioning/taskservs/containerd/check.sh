# 0 and the version when containerd is there and works, 1 when it is not there.
if [ -n "${WL_ROOT:-}" ]; then PATH="$WL_ROOT/usr/local/bin"; fi
command -v containerd >/dev/null || exit 1
[ -n "${WL_ROOT:-}" ] || systemctl is-active --quiet containerd || exit 1
containerd --version
