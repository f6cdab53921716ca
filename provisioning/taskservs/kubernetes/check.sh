# 0 and the version when a control plane is there, 1 when it is not.
if [ -n "${WL_ROOT:-}" ]; then
    [ -f "$WL_ROOT/etc/kubernetes/admin.conf" ] && "$WL_ROOT/usr/local/bin/kubelet" --version || exit 1
    exit 0
fi

[ -f /etc/kubernetes/admin.conf ] && command -v kubelet >/dev/null || exit 1
systemctl is-active --quiet kubelet || exit 1
kubelet --version
