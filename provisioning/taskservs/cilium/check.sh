# 0 and the version when Cilium is in the cluster, 1 when it is not, 2 when the cluster does not say.
if [ -n "${WL_ROOT:-}" ]; then
    [ -f "$WL_ROOT/etc/cni/net.d/05-cilium.conflist" ] && "$WL_ROOT/usr/local/bin/cilium" version || exit 1
    exit 0
fi

[ -f /etc/kubernetes/admin.conf ] && command -v kubectl >/dev/null || exit 1
export KUBECONFIG=/etc/kubernetes/admin.conf
image=$(kubectl -n kube-system get daemonset cilium --ignore-not-found \
    -o 'jsonpath={.spec.template.spec.containers[0].image}') || exit 2
[ -n "$image" ] || exit 1
echo "$image"
