set -eu
if [ -n "${WL_ROOT:-}" ]; then
    rm -rf "$WL_ROOT/usr/local/bin/cilium" "$WL_ROOT/etc/cni/net.d/05-cilium.conflist"
    exit 0
fi

if [ -f /etc/kubernetes/admin.conf ] && command -v cilium >/dev/null; then
    KUBECONFIG=/etc/kubernetes/admin.conf cilium uninstall --wait
fi
rm -f /usr/local/bin/cilium /etc/cni/net.d/05-cilium.conflist
